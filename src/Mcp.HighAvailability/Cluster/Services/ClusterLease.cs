namespace Mcp.HighAvailability;

/// <summary>The right of one replica to run a cluster service. Inject it into the service.</summary>
public sealed class ClusterLease
{
    private Func<CancellationToken, ValueTask<bool>> _verify = static _ => new(false);

    /// <summary>Name of the service.</summary>
    public string Name { get; private set; } = "";

    /// <summary>
    /// Fencing number: larger with every replica that gets the lease, as long as the store keeps its data. A store of the application that refuses
    /// smaller numbers is safe from a replica that was paused.
    /// </summary>
    public long Number { get; private set; }

    /// <summary>Ends when the replica has lost the lease, or may have.</summary>
    public CancellationToken Lost { get; private set; }

    /// <summary>Asks the store whether this replica still has the lease. Call it before something that must not happen twice.</summary>
    /// <returns><see langword="false"/>: another replica has it, or the store is away.</returns>
    public ValueTask<bool> VerifyAsync(CancellationToken cancellationToken = default) => _verify(cancellationToken);

    internal void Set(string name, long number, Func<CancellationToken, ValueTask<bool>> verify, CancellationToken lost) =>
        (Name, Number, _verify, Lost) = (name, number, verify, lost);
}
