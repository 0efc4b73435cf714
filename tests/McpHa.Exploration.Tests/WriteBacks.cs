using Mcp.HighAvailability.Lab.Chaos.Mutations;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>Safeguards of what happens after the store has lost everything, each taken away at the seam behind which it lies.</summary>
internal static class WriteBacks
{
    private static readonly Dictionary<string, ReadOnlyMemory<byte>> Nothing = [];

    /// <summary>The store without a safeguard; <see langword="null"/>: the safeguard is not the store's.</summary>
    public static ISessionStore? InStore(string without, ISessionStore store, InMemorySessions sessions) =>
        without == "WriteBackFence" ? new Overwritten(store, sessions) : null;

    /// <summary>A replica's way to the store without a safeguard; <see langword="null"/>: the safeguard is not the replica's.</summary>
    public static ISessionStore? InReplica(string without, ISessionStore store) => without switch
    {
        "WriteBack" => new Changed(store, write: false, static snapshot => snapshot),
        "WriteBackCalls" => new Changed(store, write: true, static snapshot => snapshot with { Calls = Nothing }),
        "WriteBackJournal" => new Changed(store, write: true, static snapshot => snapshot with { Journal = [] }),
        "WriteBackState" => new Changed(store, write: true, static snapshot => snapshot) { WithoutState = true },
        _ => null,
    };

    /// <summary>The registry without a safeguard; <see langword="null"/>: the safeguard is not the registry's.</summary>
    public static IReplicaRegistry? InRegistry(string without, IReplicaRegistry registry) => without == "WriteBackWait" ? new Hasty(registry) : null;

    // A write-back replaces what the store has, even if that is newer.
    private sealed class Overwritten(ISessionStore inner, InMemorySessions sessions) : MutatedStore(inner)
    {
        public override async ValueTask<CommitResult> WriteBackAsync(
            SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, CancellationToken cancellationToken = default)
        {
            var result = await base.WriteBackAsync(snapshot, state, cancellationToken);
            if (result != CommitResult.Fenced || !sessions.TryGet(snapshot.Record.Id, out var session))
                return result;
            lock (session)
                session.Replace(snapshot, state, sessions.Options);
            return CommitResult.Committed;
        }
    }

    // A write-back is said to be done, and is not, or lacks a part.
    private sealed class Changed(ISessionStore inner, bool write, Func<SessionSnapshot, SessionSnapshot> change) : MutatedStore(inner)
    {
        public bool WithoutState { get; init; }

        public override ValueTask<CommitResult> WriteBackAsync(
            SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, CancellationToken cancellationToken = default) =>
            write ? base.WriteBackAsync(change(snapshot), WithoutState ? Nothing : state, cancellationToken) : new(CommitResult.Committed);
    }

    // Replicas count as done with their write-backs before they are.
    private sealed class Hasty(IReplicaRegistry inner) : IReplicaRegistry
    {
        public async ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
        {
            var reading = await inner.BeatAsync(self, cancellationToken);
            return new([.. reading.Select(r => r with { Replica = r.Replica with { WrittenBack = reading.Incarnation! } })])
            {
                Incarnation = reading.Incarnation,
                IncarnationAge = reading.IncarnationAge,
            };
        }

        public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) => inner.LeaveAsync(replicaId, cancellationToken);
    }
}
