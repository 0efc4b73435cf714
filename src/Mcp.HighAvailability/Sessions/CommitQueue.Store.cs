using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Journal;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What a commit queue does with a store that is away, has lost data, or knows another owner.</summary>
internal sealed partial class CommitQueue
{
    // Well below the time after which others may take a session over.
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(1);
    private const int MostRepetitions = 5;

    // True: written. False: fenced or stopped, and nothing of the batch was or will be shown.
    private async Task<bool> CommitAsync(CommitBatch batch, SessionCommit commit)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var asked = context.Time.GetTimestamp();
                var result = await context.Store.CommitAsync(record.Id, commit, _stopped.Token).ConfigureAwait(false);
                if (result == CommitResult.Lost)
                {
                    using (BeginScope())
                        LogLost(record.Id);
                    (commit, result) = await WriteBackAsync(batch, commit).ConfigureAwait(false);
                }

                // This process may have stood still since the store said so. A repeated commit changes nothing, and tells how it is now.
                if (result == CommitResult.Committed && context.Time.GetElapsedTime(asked) > Stale && attempt < MostRepetitions)
                    continue;

                if (result == CommitResult.Committed && !_stopped.IsCancellationRequested)
                    return true;

                if (result != CommitResult.Committed)
                {
                    context.Metrics.Fenced();
                    using (BeginScope())
                        LogFenced(record.Id, record.Epoch);
                }
            }
            catch (StoreUnavailableException e)
            {
                if (attempt == 0)
                {
                    using (BeginScope())
                        LogUnavailable(record.Id, e.Message);
                }

                if (!_stopped.IsCancellationRequested)
                {
                    await ShowOverdueAsync(batch).ConfigureAwait(false);
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(1_000, 25 << Math.Min(attempt, 6))), context.Time).ConfigureAwait(false);
                    continue;
                }
            }
            catch (OperationCanceledException) when (_stopped.IsCancellationRequested)
            {
                // Falls through: the session has ended here.
            }
            catch (Exception e)
            {
                using (BeginScope())
                    LogBroken(e, record.Id);
            }

            // First the end, then the readers: they come back for the session at once, and must not find this copy of it.
            owner.Fenced();
            batch.Cancel();
            return false;
        }
    }

    // As the records of a call: a commit may be nobody's in particular.
    private IDisposable? BeginScope() => SessionTrace.IsOn ? context.Logger.BeginScope(new SessionScope(record.Id, record.Owner, record.Epoch)) : null;

    // What is written back is the session as it is now: it holds what the batch under way was to write, and what gathers behind it. So
    // both become one commit, which is done with the write-back. Should that not be known to have arrived, the commit is repeated.
    private async Task<(SessionCommit Commit, CommitResult Result)> WriteBackAsync(CommitBatch batch, SessionCommit commit)
    {
        SessionSnapshot snapshot;
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state;
        lock (_showing)
        {
            IReadOnlyList<Effect> shown;
            lock (Gate)
            {
                if (_pending is { } next)
                {
                    batch.Absorb(next);
                    _pending = null;
                }

                shown = ShowsFirst ? batch.TakeEffects() : [];
                commit = batch.ToCommit(record.Owner, record.Epoch, commit.Number, _position, commit.Touch, commit.TakeOverTook, owner.Unread.Positions);
                (snapshot, state) = owner.Copy(commit.Number);
                snapshot = snapshot with { Journal = Join(snapshot.Journal, commit), Unread = commit.Unread };
            }

            foreach (var effect in shown)
                effect.Run();
        }

        var result = await context.Store.WriteBackAsync(snapshot, state, _stopped.Token).ConfigureAwait(false);
        if (result == CommitResult.Committed)
            context.Metrics.WrittenBack();
        return (commit, result);
    }

    // What the session remembers of its journal, and all that the store has never had, however much of it that is.
    private static IReadOnlyList<JournalEntry> Join(IReadOnlyList<JournalEntry> remembered, SessionCommit commit) =>
        [.. remembered.UnionBy(commit.Append, entry => entry.Position).ExceptBy(commit.Remove, entry => entry.Position).OrderBy(entry => entry.Position)];

    // Durable writes wait for the store, but not for ever: then they are shown and counted, in their order. Only while nobody can have
    // taken the session over.
    private async ValueTask ShowOverdueAsync(CommitBatch batch)
    {
        if (context.Time.GetElapsedTime(batch.Opened) < context.DurableTimeout ||
            !await context.Standing.IsUnchallengedAsync(CancellationToken.None).ConfigureAwait(false) || _stopped.IsCancellationRequested)
        {
            return;
        }

        Show(batch);
        CommitBatch? next;
        lock (Gate)
            next = _pending is { } p && context.Time.GetElapsedTime(p.Opened) >= context.DurableTimeout ? p : null;
        if (next is not null)
            Show(next);

        void Show(CommitBatch late)
        {
            IReadOnlyList<Effect> effects;
            lock (Gate)
                effects = late.TakeEffects();
            if (effects.Count > 0)
                context.Metrics.Unjournaled(effects.Count(e => e.Kind == EffectKind.Publish));
            foreach (var effect in effects)
                effect.Run();
            late.Finish();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Session {SessionId}: another replica owns it now, epoch {Epoch} was refused; the local copy ends.")]
    private partial void LogFenced(string sessionId, long epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId}: the store is away, writes wait: {Reason}")]
    private partial void LogUnavailable(string sessionId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId}: the store has lost it; it is written back.")]
    private partial void LogLost(string sessionId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: what the store holds cannot be written; this session ends here, others go on.")]
    private partial void LogBroken(Exception exception, string sessionId);
}
