namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>A redis-server of Lab's own, on the loopback address.</summary>
internal static class RedisServer
{
    /// <summary>The program, or <see langword="null"/> where it is not installed.</summary>
    public static string? Executable { get; } = OperatingSystem.IsWindows() ? null : Executables.Find("redis-server");

    /// <summary>
    /// How to run it, with its data in <paramref name="folder"/>: if it is persistent, what it has acknowledged survives its end, however it ended.
    /// </summary>
    /// <remarks>
    /// Redis writes to its file before it answers, and what was written stays when the process is killed. <c>appendfsync everysec</c>, the
    /// default, would not do: it puts a write off, for up to two seconds, while a flush to disk is under way. <c>no</c> leaves
    /// flushing to the system: only a crash of the whole machine loses something.
    /// </remarks>
    public static ProcessSpec At(int port, string folder, string logFile, bool persistent = true)
    {
        Directory.CreateDirectory(folder);
        return new(
            "redis",
            Executable ?? throw new LabException("redis-server is not on PATH: install it, or name a Redis with --redis."),
            ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", persistent ? "yes" : "no", "--appendfsync", "no", "--save", "",
                "--daemonize", "no"],
            new Dictionary<string, string?>(),
            folder,
            logFile);
    }
}
