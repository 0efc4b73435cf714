using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Leaves out replicas of another application, and logs each of them once. One caller at a time.</summary>
/// <remarks>Two applications may have been given one key prefix. Neither may serve, or take over, what belongs to the other.</remarks>
internal sealed partial class ForeignReplicas(string application, ILogger logger)
{
    private readonly ILogger _logger = logger;
    private HashSet<string> _logged = [];

    /// <summary>The replicas of a reading that belong to this application.</summary>
    public IReadOnlyList<RegisteredReplica> LeaveOut(IReadOnlyList<RegisteredReplica> reading)
    {
        var foreign = reading.Where(entry => IsForeign(entry.Replica)).Select(static entry => entry.Replica).ToList();
        foreach (var replica in foreign.Where(replica => !_logged.Contains(replica.Id)))
            LogForeign(replica.Id, replica.Address, replica.Application, application);
        _logged = [.. foreign.Select(static replica => replica.Id)];
        return foreign.Count == 0 ? reading : [.. reading.Where(entry => !IsForeign(entry.Replica))];
    }

    private bool IsForeign(ReplicaInfo replica) =>
        application.Length > 0 && replica.Application.Length > 0 && !replica.Application.Equals(application, StringComparison.OrdinalIgnoreCase);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Replica {ReplicaId} at {Address} ignored: its application is '{Other}', that of this process is '{Application}'. Set " +
            "HighAvailability:Application to the same name if they belong together. Otherwise give each application a key prefix of its own.")]
    private partial void LogForeign(string replicaId, Uri address, string other, string application);
}
