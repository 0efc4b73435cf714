using System.Runtime.CompilerServices;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>A replica's way to the store: it waits before each step and again before its answer.</summary>
internal sealed class GatedStore(ISessionStore inner, string replica, Scheduler scheduler, Ledger ledger) : ISessionStore
{
    public ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default) =>
        RunAsync("create", async () =>
        {
            var created = await inner.CreateAsync(record, CancellationToken.None);
            if (created)
                ledger.Created(record);
            return created;
        });

    public async ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        var takesOwnerForDead = false;
        var owner = await RunAsync("find", () =>
        {
            takesOwnerForDead = World.Current!.TakesOwnerForDead(replica);
            return inner.FindAsync(sessionId, cancellationToken);
        });
        if (owner is null && takesOwnerForDead)
            World.Current!.LookedInVain(replica);
        return owner;
    }

    public ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default) =>
        RunAsync("take over", async () =>
        {
            var outcome = await inner.TakeOverAsync(sessionId, expectedEpoch, newOwner, CancellationToken.None);
            if (outcome is TakeOver.Taken taken)
                World.Current!.TakenOver(replica, taken.Snapshot.Record);
            return outcome;
        });

    public ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
        RunAsync("commit", async () =>
        {
            var result = await inner.CommitAsync(sessionId, commit, CancellationToken.None);
            if (result == CommitResult.Committed)
                ledger.Committed(commit);
            return result;
        });

    public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default) =>
        RunAsync("read state", () => inner.ReadStateAsync(sessionId, cancellationToken));

    public ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        RunAsync("release", async () =>
        {
            var result = await inner.ReleaseAsync(sessionId, epoch, CancellationToken.None);
            if (result == CommitResult.Committed)
                ledger.Released(epoch);
            return result;
        });

    public ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        RunAsync("end", () => inner.EndAsync(sessionId, epoch, CancellationToken.None));

    public ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, CancellationToken cancellationToken = default) =>
        RunAsync("write back", async () =>
        {
            var result = await inner.WriteBackAsync(snapshot, state, CancellationToken.None);
            if (result == CommitResult.Committed)
                ledger.WrittenBack(snapshot);
            return result;
        });

    private async ValueTask<T> RunAsync<T>(string what, Func<ValueTask<T>> step)
    {
        await scheduler.StepAsync(replica, what).ConfigureAwait(false);
        var result = await step().ConfigureAwait(false);
        await scheduler.StepAsync(replica, what + " answered").ConfigureAwait(false);
        return result;
    }
}

internal sealed class GatedJournal(ISessionJournal inner, string replica, Scheduler scheduler) : ISessionJournal
{
    public async IAsyncEnumerable<JournalEntry> ReadAsync(
        string sessionId, string stream, long after, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await scheduler.StepAsync(replica, "read journal", cancellationToken).ConfigureAwait(false);
        List<JournalEntry> entries = [];
        await foreach (var entry in inner.ReadAsync(sessionId, stream, after, cancellationToken).ConfigureAwait(false))
            entries.Add(entry);
        await scheduler.StepAsync(replica, "read journal answered", cancellationToken).ConfigureAwait(false);
        foreach (var entry in entries)
            yield return entry;
    }
}

/// <summary>A replica's way to the broadcast log.</summary>
internal sealed class GatedBroadcastLog(IBroadcastLog inner, string replica, Scheduler scheduler) : IBroadcastLog
{
    public ValueTask<BroadcastEntry?> AppendAsync(BroadcastPublication publication, BroadcastPosition known, CancellationToken cancellationToken = default) =>
        inner.AppendAsync(publication, known, cancellationToken);

    public async ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        await scheduler.StepAsync(replica, "read broadcasts").ConfigureAwait(false);
        var page = await inner.ReadAsync(known, CancellationToken.None).ConfigureAwait(false);
        await scheduler.StepAsync(replica, "read broadcasts answered").ConfigureAwait(false);
        return page;
    }
}

/// <summary>The bus of all replicas: each delivery to each of them is a step of its own.</summary>
internal sealed class GatedBus(Scheduler scheduler)
{
    private readonly List<(string Replica, string Topic, Func<ReadOnlyMemory<byte>, ValueTask> Handler)> _subscriptions = [];

    public IEventBus Of(string replica) => new End(this, replica);

    private sealed class End(GatedBus bus, string replica) : IEventBus, IAsyncDisposable
    {
        public ValueTask PublishAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
        {
            lock (bus._subscriptions)
            {
                foreach (var to in bus._subscriptions.Where(s => s.Topic == topic))
                    _ = bus.DeliverAsync(to.Replica, to.Handler, payload);
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask<IAsyncDisposable> SubscribeAsync(
            string topic, Func<ReadOnlyMemory<byte>, ValueTask> handler, CancellationToken cancellationToken = default)
        {
            lock (bus._subscriptions)
                bus._subscriptions.Add((replica, topic, handler));
            return new(this);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private async Task DeliverAsync(string replica, Func<ReadOnlyMemory<byte>, ValueTask> handler, ReadOnlyMemory<byte> payload)
    {
        await scheduler.StepAsync(replica, "hear").ConfigureAwait(false);
        await handler(payload).ConfigureAwait(false);
    }
}
