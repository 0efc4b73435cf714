using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Decides what a look into the store means for a session that is not served here. The only place that does.</summary>
/// <remarks>Taking over is safe at any suspicion, because the store fences the old owner. What a request says decides nothing.</remarks>
internal sealed class OwnershipRule(string self, ReplicaDirectory directory)
{
    /// <summary>Why something that the store does not know is not unknown yet.</summary>
    public const string Unchecked = "The store restarted, failed over or was emptied, or a replica has just come, and not all have checked their sessions yet.";

    /// <summary>This replica takes on no more sessions while there is another one: it is shutting down, or an operator wants it empty.</summary>
    public bool Draining { get; set; }

    /// <summary>This replica is shutting down: it takes on no more sessions, whatever happens to the others.</summary>
    public bool Ending { get; set; }

    /// <inheritdoc cref="ReplicaDirectory.WrittenBack"/>
    public WrittenBack WrittenBack => directory.WrittenBack;

    /// <inheritdoc cref="ReplicaDirectory.WrittenBackNowAsync"/>
    public ValueTask<WrittenBack> WrittenBackNowAsync() => directory.WrittenBackNowAsync();

    /// <summary>Another replica, that is not draining, to serve a key; <see langword="null"/> when there is none.</summary>
    public ReplicaInfo? Successor(string key) => Rendezvous.Choose(key, [.. directory.Alive.Where(r => !r.Draining && r.Id != self)]);

    /// <summary>Where a session is served that the store knows. <see langword="null"/>: here, after a take-over.</summary>
    public Ownership? OfRecord(string sessionId, SessionOwner record)
    {
        if (OfOwner(record.Owner) is { } peer)
            return peer;

        // If every replica drains, a draining replica goes on serving. It takes back a released session that no other replica has taken.
        if (Draining && (Ending || record.Owner != self) && Successor(sessionId) is { } successor)
            return new Ownership.Peer(successor);
        return Ending ? new Ownership.Undecided("This replica is shutting down, and no other replica is alive yet.") : null;
    }

    /// <summary>The owner, if it is another replica that is alive.</summary>
    public Ownership.Peer? OfOwner(string owner) => owner.Length > 0 && owner != self && directory.Find(owner) is { } peer ? new(peer) : null;

    /// <summary>
    /// Where a session is served that the store does not know: nowhere, unless the store has lost it and its owner has not written it back yet.
    /// </summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="before"><see cref="WrittenBack"/> before the look.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<Ownership> OfMissingAsync(string sessionId, WrittenBack before, CancellationToken cancellationToken = default)
    {
        if (FirstOwner(sessionId) is { } first)
            return new Ownership.Peer(first);
        return await IsWholeAsync(before, cancellationToken).ConfigureAwait(false) ? new Ownership.None() : NotWrittenBack();
    }

    /// <inheritdoc cref="ReplicaDirectory.IsWholeAsync"/>
    public ValueTask<bool> IsWholeAsync(WrittenBack before, CancellationToken cancellationToken = default) =>
        directory.IsWholeAsync(before, cancellationToken);

    /// <summary>The store may not have what an owner has.</summary>
    public static Ownership.Undecided NotWrittenBack() => new(Unchecked);

    // After the store has lost its data, an owner may not have written the session back yet. So the replica that opened the session is asked.
    private ReplicaInfo? FirstOwner(string sessionId) => SessionIds.HintOf(sessionId) is { } hint
        ? directory.Alive.FirstOrDefault(r => r.Id != self && AffinityHint.Of(r.Id) == hint)
        : null;
}
