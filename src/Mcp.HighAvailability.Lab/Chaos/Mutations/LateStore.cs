using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>Says that a commit is written before it is: so late that a death in between is likely. Everything else waits for what is on its way.</summary>
internal sealed class LateStore(ISessionStore inner) : MutatedStore(inner)
{
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<string, Task<CommitResult>> _writing = new();

    /// <summary>Completes when a session's commits are written.</summary>
    public async ValueTask WrittenAsync(string sessionId)
    {
        if (_writing.TryGetValue(sessionId, out var writing))
            await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default)
    {
        // One writer per session: the queue of its owner. What an earlier commit was answered is told with a later one.
        var before = _writing.GetValueOrDefault(sessionId);
        var due = Task.Delay(Late, CancellationToken.None);
        _writing[sessionId] = WriteAsync();
        return before is { IsCompletedSuccessfully: true, Result: not CommitResult.Committed and var result } ? new(result) : new(CommitResult.Committed);

        async Task<CommitResult> WriteAsync()
        {
            if (before is not null)
                await ((Task)before).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await due;
            return await Inner.CommitAsync(sessionId, commit, CancellationToken.None);
        }
    }

    public override async ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        await WrittenAsync(sessionId);
        return await base.FindAsync(sessionId, cancellationToken);
    }

    public override async ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner,
        CancellationToken cancellationToken = default)
    {
        await WrittenAsync(sessionId);
        _writing.TryRemove(sessionId, out _);
        return await base.TakeOverAsync(sessionId, expectedEpoch, newOwner, cancellationToken);
    }

    public override async ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default)
    {
        await WrittenAsync(sessionId);
        return await base.ReleaseAsync(sessionId, epoch, cancellationToken);
    }

    public override async ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default)
    {
        await WrittenAsync(sessionId);
        return await base.EndAsync(sessionId, epoch, cancellationToken);
    }
}

/// <summary>The journal of a <see cref="LateStore"/>.</summary>
internal sealed class LateJournal(ISessionJournal inner, LateStore store) : ISessionJournal
{
    public async IAsyncEnumerable<JournalEntry> ReadAsync(
        string sessionId, string stream, long after, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await store.WrittenAsync(sessionId);
        await foreach (var entry in inner.ReadAsync(sessionId, stream, after, cancellationToken))
            yield return entry;
    }
}
