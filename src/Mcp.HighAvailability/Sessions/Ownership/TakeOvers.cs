using System.Collections.Concurrent;
using System.Diagnostics;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Takes over sessions whose owner is lost or has given them up: one attempt per session at a time in this replica.</summary>
internal sealed partial class TakeOvers(
    SessionRuntime runtime, OwnershipRule rule, SessionTable table, IEventBus bus, ILogger logger)
{
    private const int MaxFailed = 1_000;
    private static readonly int DefaultAtOnce = Math.Clamp(4 * Environment.ProcessorCount, 8, 64);

    private readonly ConcurrentDictionary<string, PendingTakeOver> _pending = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (int Times, long Last)> _failed = new(StringComparer.Ordinal);
    private readonly TakeOverLog _log = new(runtime.Time, logger);

    /// <summary>Bounds and orders take-overs.</summary>
    public TakeOverAdmission Admission { get; } = new(runtime.Options.MaxTakeOvers ?? DefaultAtOnce, () => runtime.Calls.Count > 0, runtime.Time);

    /// <summary>The outcome of the take-over of a session that waits or runs; <see langword="null"/> when there is none.</summary>
    public Task<Ownership>? Find(string sessionId, TakeOverFor purpose)
    {
        if (!_pending.TryGetValue(sessionId, out var pending))
            return null;
        if (purpose == TakeOverFor.Call)
            Admission.Promote(pending);
        return pending.Result;
    }

    /// <summary>Starts a take-over, unless one waits or runs.</summary>
    /// <remarks>In a flow of execution of its own: what is run again must not see the user or the trace of the request that came first.</remarks>
    public void Start(string sessionId, TakeOverFor purpose)
    {
        var started = new PendingTakeOver(purpose);
        if (_pending.GetOrAdd(sessionId, started) == started)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static s => _ = s.TakeOvers.RunAsync(s.Id, s.TakeOver, s.Cause), (TakeOvers: this, Id: sessionId, TakeOver: started, SessionTrace.Cause),
                    preferLocal: false);
        }
    }

    /// <summary>Completes when no take-over is under way that had begun before the call.</summary>
    public async Task WhenDoneAsync()
    {
        foreach (var (_, takeOver) in _pending.Where(pair => pair.Value.Admitted.IsCompleted))
            await ((Task)takeOver.Result).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync(string sessionId, PendingTakeOver takeOver, ActivityContext cause)
    {
        Ownership ownership = new Ownership.Undecided("The session could not be restored.");
        await Admission.EnterAsync(takeOver).ConfigureAwait(false);
        var begun = runtime.Time.GetTimestamp();
        try
        {
            ownership = await LookAgainAsync(sessionId, takeOver, cause).ConfigureAwait(false);
        }
        finally
        {
            _pending.TryRemove(sessionId, out _);
            takeOver.Complete(ownership);
            Admission.Exit(takeOver, runtime.Time.GetElapsedTime(begun));
        }
    }

    // The look before may be out of date: another take-over here may have begun and ended since, and one epoch must never be served twice.
    private async Task<Ownership> LookAgainAsync(string sessionId, PendingTakeOver takeOver, ActivityContext cause)
    {
        if (table.Find(sessionId) is { Serves: true } session)
            return new Ownership.Local(session);
        try
        {
            var writtenBack = await rule.WrittenBackNowAsync().ConfigureAwait(false);
            if (await runtime.Store.FindAsync(sessionId).ConfigureAwait(false) is not { } before)
                return await rule.OfMissingAsync(sessionId, writtenBack).ConfigureAwait(false);
            if (rule.OfRecord(sessionId, before) is { } elsewhere)
                return elsewhere;

            // A store that has lost the last take-over names an owner before the last.
            if (!await rule.IsWholeAsync(writtenBack).ConfigureAwait(false))
                return OwnershipRule.NotWrittenBack();
            return await TryAsync(sessionId, takeOver, before, writtenBack, cause).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            return new Ownership.Undecided(e.Message);
        }
        catch (ObjectDisposedException) when (rule.Ending)
        {
            return new Ownership.Undecided("This replica is shutting down.");
        }
        catch (Exception e)
        {
            LogNotTakenOver(e, sessionId);
            return new Ownership.Undecided("The session could not be restored.");
        }
    }

    private async Task<Ownership> TryAsync(string sessionId, PendingTakeOver takeOver, SessionOwner before, WrittenBack writtenBack, ActivityContext cause)
    {
        if (_failed.TryGetValue(sessionId, out var failed) && runtime.Time.GetElapsedTime(failed.Last) < PauseAfter(failed.Times))
            return new Ownership.Undecided("The session could not be restored yet.");
        var begun = runtime.Time.GetTimestamp();
        var reason = TakeOverReasons.Of(before.Owner, runtime.ReplicaId);
        try
        {
            switch (await runtime.Store.TakeOverAsync(sessionId, before.Epoch, runtime.ReplicaId).ConfigureAwait(false))
            {
                case TakeOver.Taken taken:
                    var (session, rerun, refused) = await SessionRestore.RunAsync(
                        runtime, taken.Snapshot, cause, table.Remove, takeOver.For == TakeOverFor.Call, CancellationToken.None).ConfigureAwait(false);
                    table.Add(session);
                    if (!session.Serves)
                        table.Remove(session);
                    var duration = runtime.Time.GetElapsedTime(begun);
                    session.NoteTakeOver(duration);
                    _ = new TakeOverNews(session.Id, session.Epoch, taken.Snapshot.Record.Hops is [.., var hop] ? hop.From
                        : before.Owner, runtime.ReplicaId, reason, duration).AnnounceAsync(bus);
                    _failed.TryRemove(sessionId, out _);
                    using (Trace(session, before, taken.Snapshot, reason, rerun, refused, duration, cause))
                    using (session.BeginScope())
                    {
                        runtime.Metrics.TakenOver(reason, duration);
                        _log.Add(sessionId, session.Epoch, before.Owner, reason, duration, rerun, refused);
                    }

                    return new Ownership.Local(session);
                case TakeOver.Refused { Current.Owner: var winner } when rule.OfOwner(winner) is { } peer:
                    return peer;
                case TakeOver.Unknown:
                    return await rule.OfMissingAsync(sessionId, writtenBack).ConfigureAwait(false);
                default:
                    return new Ownership.Undecided("Another replica has just taken the session over.");
            }
        }
        catch (StoreUnavailableException e)
        {
            return new Ownership.Undecided(e.Message);
        }
        catch (InvalidDataException e)
        {
            LogDamaged(e, sessionId);
            return new Ownership.Damaged(e.Message);
        }
        catch (ObjectDisposedException) when (rule.Ending)
        {
            return new Ownership.Undecided("This replica is shutting down.");
        }
        catch (Exception e)
        {
            LogNotTakenOver(e, sessionId);
            if (_failed.Count >= MaxFailed)
                _failed.Clear();
            _failed.AddOrUpdate(
                sessionId, static (_, now) => (1, now), static (_, failed, now) => (failed.Times + 1, now), runtime.Time.GetTimestamp());
            return new Ownership.Undecided("The session could not be restored.");
        }
    }

    // Every attempt is a new epoch, and work for nothing most likely.
    private static TimeSpan PauseAfter(int failures) => TimeSpan.FromMilliseconds(100 << Math.Min(failures - 1, 6));

    private Activity? Trace(
        LiveSession session, SessionOwner before, SessionSnapshot taken, string reason, int rerun, int refused, TimeSpan duration, ActivityContext cause)
    {
        var span = SessionTrace.Start(SpanNames.TakeOver, taken.Record.TraceParent, session.Id, cause, runtime.Time.GetUtcNow() - duration);
        span?.SetTag(AttributeNames.Replica, runtime.ReplicaId);
        span?.SetTag(AttributeNames.Epoch, session.Epoch);
        span?.SetTag(AttributeNames.From, before.Owner);
        span?.SetTag(AttributeNames.To, runtime.ReplicaId);
        SessionTrace.Explain(span, reason);
        span?.SetTag(AttributeNames.EventsReplayed, taken.Journal.Count);
        span?.SetTag(AttributeNames.CallsRerun, rerun);
        span?.SetTag(AttributeNames.CallsRefused, refused);
        span?.SetTag(AttributeNames.Duration, duration.TotalSeconds);
        return span;
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId}: its record in the store is damaged, or comes from another version of this server. Run one version on all replicas. " +
            "If it fails there, too, delete the record, or let it expire (HighAvailability:Sessions:IdleTimeout).")]
    private partial void LogDamaged(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} could not be restored on this replica. Its next request tries again.")]
    private partial void LogNotTakenOver(Exception exception, string sessionId);
}
