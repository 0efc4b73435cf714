namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>
/// The store that Lab starts: <c>redis-server</c> where it is installed, otherwise Garnet, which needs nothing but the .NET SDK and keeps its data in
/// memory.
/// </summary>
/// <param name="Garnet">Garnet's program; <see langword="null"/> for <c>redis-server</c>.</param>
internal sealed record LocalStore(string? Garnet)
{
    private static readonly NuGetPackage Package = new("garnet-server", "2.2.8", Path.Combine("tools", "net10.0", "any", "GarnetServer.dll"));

    /// <summary>Description of the store and the reason for the choice.</summary>
    public string Description => Garnet is null ? "a redis-server of their own" : $"a Garnet {Package.Version} of their own, because redis-server is not " +
        "installed";

    /// <summary>Finds the store, and restores Garnet's package where it is needed and not there.</summary>
    /// <exception cref="LabException">There is no <c>redis-server</c>, and the package cannot be restored.</exception>
    public static async Task<LocalStore> FindAsync(string logFolder, Action<string> say, CancellationToken cancellationToken)
    {
        if (RedisServer.Executable is not null)
            return new(Garnet: null);

        var log = Path.Combine(logFolder, "restore.log");
        return await Package.FindAsync(log, say, cancellationToken) is { } program
            ? new(program)
            : throw new LabException(
                $"There is no store to run the cluster on: redis-server is not installed, and {Package.Id} {Package.Version} could not be restored (see " +
                    $"{log}). "
                + "Install redis-server, name an existing Redis with --redis, or make NuGet reachable.");
    }

    /// <summary>How to run it on the loopback address. Only <c>redis-server</c> keeps its data, in <paramref name="folder"/>.</summary>
    public ProcessSpec At(int port, string folder, string logFile)
    {
        if (Garnet is null)
            return RedisServer.At(port, folder, logFile);

        Directory.CreateDirectory(folder);
        return new(
            "garnet",
            Executables.DotNet,
            [Garnet, "--port", $"{port}", "--bind", "127.0.0.1", "--lua", "--lua-transaction-mode"],
            new Dictionary<string, string?>(),
            folder,
            logFile);
    }
}
