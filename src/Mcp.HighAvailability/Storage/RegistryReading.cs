using System.Collections.ObjectModel;

namespace Mcp.HighAvailability.Storage;

/// <summary>All replicas that a registry holds at one moment, and which run of the store said so.</summary>
public sealed class RegistryReading(IList<RegisteredReplica> replicas) : ReadOnlyCollection<RegisteredReplica>(replicas)
{
    /// <summary>The run of the store; <see langword="null"/> where nothing can be lost without this process.</summary>
    public StoreRun? Run { get; init; }
}

/// <summary>
/// A time in which the store has lost nothing. A new one begins when its data are gone, when it was restarted, and when another server
/// has taken its place: what was written last before that may be missing.
/// </summary>
/// <param name="Id">Different for every run.</param>
/// <param name="Age">Time since it was first noticed, by the store's clock.</param>
public sealed record StoreRun(string Id, TimeSpan Age);
