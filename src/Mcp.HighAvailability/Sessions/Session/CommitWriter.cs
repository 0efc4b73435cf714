using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Sends one commit of a session to the store: repeats it while the store is away, and writes the session back when the store has lost it.</summary>
internal sealed partial class CommitWriter(SessionRunner runner, SessionRecord record, CommitContext context)
{
    // Well below the time after which others may take a session over.
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(1);
    private const int MaxRepetitions = 5;

    private readonly ILogger _logger = context.Logger;

    /// <summary>Writes a batch. <see langword="false"/>: the session is fenced or stopped, and nothing of the batch was or will be shown.</summary>
    public async Task<bool> WriteAsync(PendingCommit pending)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var asked = context.Time.GetTimestamp();
                var result = await context.Store.CommitAsync(record.Id, pending.Commit, runner.Stopped).ConfigureAwait(false);
                if (result == CommitResult.Lost)
                {
                    using (BeginScope())
                        context.Log.Add(record, CommitTrouble.Missing);
                    (pending, result) = await WriteBackAsync(pending).ConfigureAwait(false);
                }

                // This process may have stood still since the store said so. A repeated commit changes nothing, and tells how it is now.
                if (result == CommitResult.Committed && context.Time.GetElapsedTime(asked) > Stale && attempt < MaxRepetitions)
                    continue;

                if (result == CommitResult.Committed)
                    return !runner.Stopped.IsCancellationRequested;

                context.Metrics.Fenced();
                using (BeginScope())
                    context.Log.Add(record, CommitTrouble.Fenced);
                return false;
            }
            catch (StoreUnavailableException e)
            {
                if (attempt == 0)
                {
                    using (BeginScope())
                        context.Log.Add(record, CommitTrouble.Waits, e.Message);
                }

                if (runner.Stopped.IsCancellationRequested)
                    return false;
                runner.Run(context.DurableTimeout, static (core, timeout) => core.Commits.Expire(timeout));
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(1_000, 25 << Math.Min(attempt, 6))), context.Time).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (runner.Stopped.IsCancellationRequested)
            {
                return false;
            }
            catch (Exception e)
            {
                using (BeginScope())
                    LogBroken(e, record.Id);
                return false;
            }
        }
    }

    // As the records of a call: a commit may belong to several calls or to none.
    private IDisposable? BeginScope() => SessionTrace.IsOn ? _logger.BeginScope(new SessionScope(record.Id, record.Owner, record.Epoch)) : null;

    // What is written back is the session as it is now: it holds what the batch under way was to write, and what gathers behind it. So
    // both become one commit, which is done with the write-back. Should that not be known to have arrived, the commit is repeated.
    private async Task<(PendingCommit Pending, CommitResult Result)> WriteBackAsync(PendingCommit pending)
    {
        var (commit, (snapshot, state)) = runner.Run(pending, static (core, pending) => (core.Commits.Absorb(pending), core.Copy(pending.Commit.Number)));
        snapshot = snapshot with { Journal = Join(snapshot.Journal, commit), Unread = commit.Unread };
        var result = await context.Store.WriteBackAsync(snapshot, state, runner.Stopped).ConfigureAwait(false);
        if (result != CommitResult.Committed)
            return (pending with { Commit = commit }, result);

        context.Metrics.WrittenBack();
        // A former owner that has not heard of the take-over may have written the session back before.
        if (record.Epoch > 1)
            _ = OwnerNews.AnnounceAsync(context.Bus, record.Epoch, record.Id, record.Owner);
        return (pending with { Commit = commit }, result);
    }

    // What the session remembers of its journal, and all that the store has never had, however much of it that is.
    private static IReadOnlyList<JournalEntry> Join(IReadOnlyList<JournalEntry> remembered, SessionCommit commit) =>
        [.. remembered.UnionBy(commit.Append, entry => entry.Position).ExceptBy(commit.Remove, entry => entry.Position).OrderBy(entry => entry.Position)];

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId} closed on this replica: the store cannot write its record. The next request restores the session. If that fails, " +
            "delete the record, or let it expire (HighAvailability:Sessions:IdleTimeout).")]
    private partial void LogBroken(Exception exception, string sessionId);
}
