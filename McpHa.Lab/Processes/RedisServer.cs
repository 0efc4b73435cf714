namespace McpHa.Lab.Processes;

/// <summary>A redis-server of Lab's own, on the loopback address.</summary>
internal static class RedisServer
{
    /// <summary>The program, or <see langword="null"/> where it is not installed.</summary>
    public static string? Executable { get; } = OperatingSystem.IsWindows() ? null : Executables.Find("redis-server");

    /// <summary>How to run it, with its data in <paramref name="folder"/>: if it is persistent, what it has acknowledged survives its restart.</summary>
    public static ProcessSpec At(int port, string folder, string logFile, bool persistent = true)
    {
        Directory.CreateDirectory(folder);
        return new(
            "redis",
            Executable ?? throw new LabException("redis-server is not on PATH: install it, or name a Redis with --redis."),
            ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", persistent ? "yes" : "no", "--save", "", "--daemonize", "no"],
            new Dictionary<string, string?>(),
            folder,
            logFile);
    }
}
