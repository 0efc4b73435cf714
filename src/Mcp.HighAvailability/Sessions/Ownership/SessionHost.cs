using System.Collections.Concurrent;
using System.Diagnostics;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.EventBus;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The sessions of this replica: opens them, finds who serves one, and takes over those whose owner is lost.</summary>
/// <remarks>
/// Taking over is safe at any suspicion, because the store fences the old owner. It is decided here, by what this replica itself
/// knows of its peers, never by what a request says.
/// </remarks>
internal sealed partial class SessionHost(
    SessionRuntime runtime, ReplicaDirectory directory, IEventBus bus, ILogger<SessionHost> logger)
{
    private const int MostRounds = 8;
    private static readonly int DefaultTakeOvers = Math.Clamp(4 * Environment.ProcessorCount, 8, 64);
    private const int MostFailed = 1_000;

    private readonly ConcurrentDictionary<string, LiveSession> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PendingTakeOver> _takeOvers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _users = new(StringComparer.Ordinal);
    private readonly TakeOverLog _log = new(runtime.Time, logger);
    private int _count;

    private readonly ConcurrentDictionary<string, (int Times, long Last)> _failed = new(StringComparer.Ordinal);

    /// <summary>All sessions, each looked at once. Not for heartbeats and requests: their work must not grow with the number of sessions.</summary>
    public IEnumerable<LiveSession> Sessions => _sessions.Select(static pair => pair.Value);

    /// <summary>Bounds and orders take-overs.</summary>
    public TakeOverAdmission Admission { get; } = new(runtime.Options.MaxTakeOvers ?? DefaultTakeOvers, runtime.Time);

    /// <summary>What was broadcast lately.</summary>
    public RecentBroadcasts Broadcasts { get; } = new(runtime.Time);

    public int SessionCount => Volatile.Read(ref _count);

    public int CallCount => runtime.Calls.Count;

    /// <summary>This replica takes on no more sessions while there is another one: it is shutting down, or an operator wants it empty.</summary>
    public bool Draining { get; set; }

    /// <summary>This replica is shutting down: it takes on no more sessions, whatever happens to the others.</summary>
    public bool Ending { get; set; }

    /// <summary>Nothing is left here: what still waits in this replica for another one keeps it from ending.</summary>
    public bool Drained => Ending && _sessions.IsEmpty;

    /// <summary>Opens a session for a client's <c>initialize</c>. The answer is the server's; with an error there is no session.</summary>
    public async Task<(LiveSession? Session, JsonRpcMessageWithId Answer)> OpenAsync(
        JsonRpcRequest initialize, ReadOnlyMemory<byte> body, string user, CancellationToken cancellationToken)
    {
        var clientId = initialize.Id;
        using var activity = SessionTrace.Create();
        var record = new SessionRecord
        {
            Id = SessionIds.New(runtime.ReplicaId),
            Owner = runtime.ReplicaId,
            Epoch = 1,
            User = user,
            TraceParent = activity?.Id ?? "",
            ProtocolVersion = "",
            Created = runtime.Time.GetUtcNow(),
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>> { [HandshakeKeys.Initialize] = RecordedHandshake.Initialize(initialize) },
        };
        activity?.SetTag(AttributeNames.SessionId, record.Id);
        activity?.SetTag(AttributeNames.Replica, runtime.ReplicaId);
        activity?.SetTag(AttributeNames.Epoch, record.Epoch);
        var session = new LiveSession(runtime, record, Forget);
        session.Start();
        try
        {
            var answer = await Handshake.RunAsync(session, initialize, cancellationToken).ConfigureAwait(false);
            answer!.Id = clientId;
            if (answer is not JsonRpcResponse { Result: { } result })
            {
                session.Close();
                return (null, answer);
            }

            session.ProtocolVersion = JsonRpc.TextParam(result, "protocolVersion") ?? "";
            await KeepAsync(session, record with { ProtocolVersion = session.ProtocolVersion }, cancellationToken).ConfigureAwait(false);
            activity?.SetTag(AttributeNames.ProtocolVersion, session.ProtocolVersion);
            return (session, answer);
        }
        catch
        {
            session.Close();
            throw;
        }
    }

    /// <summary>The session if this replica serves it.</summary>
    public LiveSession? Find(string sessionId) => _sessions.GetValueOrDefault(sessionId);

    /// <summary>Finds who serves a session; takes it over when nobody does.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="cancellationToken">Gives up waiting; a take-over that has begun goes on.</param>
    /// <param name="purpose">What a take-over would be for.</param>
    public async ValueTask<Ownership> FindAsync(string sessionId, CancellationToken cancellationToken, TakeOverFor purpose = TakeOverFor.Call)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            if (_sessions.TryGetValue(sessionId, out var session))
            {
                if (session.Serves)
                    return new Ownership.Local(session);
                await session.Gone.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            if (_takeOvers.TryGetValue(sessionId, out var running))
            {
                if (purpose == TakeOverFor.Call)
                    Admission.Promote(running);
                return await running.Result.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            var settled = directory.SettledRun;
            SessionOwner? record;
            try
            {
                record = await runtime.Store.FindAsync(sessionId, cancellationToken).ConfigureAwait(false);
            }
            catch (StoreUnavailableException e)
            {
                return new Ownership.Undecided(e.Message);
            }
            catch (InvalidDataException e)
            {
                LogDamaged(e, sessionId);
                return new Ownership.Damaged("What is stored of this session is damaged. Open a new one with 'initialize'.");
            }

            if (record is null)
                return FirstOwner(sessionId) is { } first ? new Ownership.Peer(first) : await MissingAsync(settled, cancellationToken).ConfigureAwait(false);
            if (record.Owner.Length > 0 && record.Owner != runtime.ReplicaId && directory.Find(record.Owner) is { } owner)
                return new Ownership.Peer(owner);

            // What only drains serves on when it is all there is. A session that it has given up and nobody knows of is taken back before it is handed over.
            if (Draining && (Ending || record.Owner != runtime.ReplicaId) && Successor(sessionId) is { } successor)
                return new Ownership.Peer(successor);
            if (Ending)
                return new Ownership.Undecided("This replica is shutting down and there is no other yet.");

            // One take-over per session at a time in this replica; whoever comes meanwhile waits for it.
            var started = new PendingTakeOver(purpose);
            if (_takeOvers.GetOrAdd(sessionId, started) == started)
                StartTakeOver(sessionId, started);
        }

        return new Ownership.Undecided("The session changes its owner all the time.");
    }

    /// <summary>Another replica, that is not draining, to serve a key; <see langword="null"/> when there is none.</summary>
    public ReplicaInfo? Successor(string key) =>
        Rendezvous.Choose(key, [.. directory.Alive.Where(r => !r.Draining && r.Id != runtime.ReplicaId)]);

    /// <summary>How many sessions of a user this replica has.</summary>
    public int SessionsOf(string user) => _users.GetValueOrDefault(user);

    /// <summary>Completes when no take-over is under way that had begun before the call.</summary>
    public async Task TakenOverAsync()
    {
        foreach (var (_, takeOver) in _takeOvers.Where(pair => pair.Value.Admitted.IsCompleted))
            await ((Task)takeOver.Result).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // Nobody has the session, unless the store has lost it and its owner has not written it back yet.
    private async ValueTask<Ownership> MissingAsync(string? settled, CancellationToken cancellationToken = default) =>
        await IsSettledAsync(settled, cancellationToken).ConfigureAwait(false) ? new Ownership.None() : NotSettled();

    // Whether the look into the store that lies between was one at a whole: before it all owners had seen to it that the store has their
    // sessions, and it has lost nothing since.
    private async ValueTask<bool> IsSettledAsync(string? before, CancellationToken cancellationToken)
    {
        if (before is null or "")
            return before is not null;
        await directory.RefreshAsync(cancellationToken).ConfigureAwait(false);
        return directory.SettledRun == before;
    }

    private static Ownership.Undecided NotSettled() =>
        new("The store was restarted, replaced or emptied; owners are still checking that it has their sessions.");

    // A store that has lost its data does not know what an owner has not written back yet, so whoever opened the session is asked.
    private ReplicaInfo? FirstOwner(string sessionId) => SessionIds.HintOf(sessionId) is { } hint
        ? directory.Alive.FirstOrDefault(r => r.Id != runtime.ReplicaId && AffinityHint.Of(r.Id) == hint)
        : null;

    // In a flow of execution of its own: what is run again must not see the user or the trace of the request that came first.
    private void StartTakeOver(string sessionId, PendingTakeOver takeOver) =>
        ThreadPool.UnsafeQueueUserWorkItem(
            static s => _ = s.Host.TakeOverAsync(s.Id, s.TakeOver, s.Cause), (Host: this, Id: sessionId, TakeOver: takeOver, SessionTrace.Cause), preferLocal: false);

    private async Task TakeOverAsync(string sessionId, PendingTakeOver takeOver, ActivityContext cause)
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
            _takeOvers.TryRemove(sessionId, out _);
            takeOver.Complete(ownership);
            Admission.Exit(takeOver, runtime.Time.GetElapsedTime(begun));
        }
    }

    // The look before may be out of date: another take-over here may have begun and ended since, and one epoch must never be served twice.
    private async Task<Ownership> LookAgainAsync(string sessionId, PendingTakeOver takeOver, ActivityContext cause)
    {
        if (_sessions.TryGetValue(sessionId, out var session) && session.Serves)
            return new Ownership.Local(session);
        try
        {
            var settled = directory.SettledRun;
            return await runtime.Store.FindAsync(sessionId).ConfigureAwait(false) switch
            {
                null => await MissingAsync(settled).ConfigureAwait(false),
                { Owner: { Length: > 0 } owner } when owner != runtime.ReplicaId && directory.Find(owner) is { } peer => new Ownership.Peer(peer),

                // A store that has lost the last take-over names an owner before the last.
                _ when !await IsSettledAsync(settled, default).ConfigureAwait(false) => NotSettled(),
                var before => await TryTakeOverAsync(sessionId, takeOver, before, settled, cause).ConfigureAwait(false),
            };
        }
        catch (StoreUnavailableException e)
        {
            return new Ownership.Undecided(e.Message);
        }
        catch (ObjectDisposedException) when (Ending)
        {
            return new Ownership.Undecided("This replica is shutting down.");
        }
        catch (Exception e)
        {
            LogNotTakenOver(e, sessionId);
            return new Ownership.Undecided("The session could not be restored.");
        }
    }

    private async Task<Ownership> TryTakeOverAsync(string sessionId, PendingTakeOver takeOver, SessionOwner before, string? settled, ActivityContext cause)
    {
        if (_failed.TryGetValue(sessionId, out var failed) && runtime.Time.GetElapsedTime(failed.Last) < PauseAfter(failed.Times))
            return new Ownership.Undecided("The session could not be restored; that is tried again.");
        var begun = runtime.Time.GetTimestamp();
        var reason = TakeOverReasons.Of(before.Owner, runtime.ReplicaId);
        try
        {
            switch (await runtime.Store.TakeOverAsync(sessionId, before.Epoch, runtime.ReplicaId).ConfigureAwait(false))
            {
                case TakeOver.Taken taken:
                    var (session, rerun, refused) = await SessionRestore.RunAsync(
                        runtime, taken.Snapshot, cause, Forget, takeOver.For == TakeOverFor.Call, CancellationToken.None).ConfigureAwait(false);
                    Broadcasts.Arrive(session, () => Add(session));
                    if (!session.Serves)
                        Forget(session);
                    var duration = runtime.Time.GetElapsedTime(begun);
                    session.NoteTakeOver(duration);
                    _ = new TakeOverNews(session.Id, session.Epoch, taken.Snapshot.Record.Hops is [.., var hop] ? hop.From : before.Owner, runtime.ReplicaId, reason, duration).AnnounceAsync(bus);
                    _failed.TryRemove(sessionId, out _);
                    using (Trace(session, before, taken.Snapshot, reason, rerun, refused, duration, cause))
                    using (session.BeginScope())
                    {
                        runtime.Metrics.TakenOver(reason, duration);
                        _log.Add(sessionId, session.Epoch, before.Owner, reason, duration, rerun, refused);
                    }

                    return new Ownership.Local(session);
                case TakeOver.Refused { Current.Owner: var winner } when directory.Find(winner) is { } peer && peer.Id != runtime.ReplicaId:
                    return new Ownership.Peer(peer);
                case TakeOver.Unknown:
                    return await MissingAsync(settled).ConfigureAwait(false);
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
        catch (ObjectDisposedException) when (Ending)
        {
            return new Ownership.Undecided("This replica is shutting down.");
        }
        catch (Exception e)
        {
            LogNotTakenOver(e, sessionId);
            if (_failed.Count >= MostFailed)
                _failed.Clear();
            _failed.AddOrUpdate(
                sessionId, static (_, now) => (1, now), static (_, failed, now) => (failed.Times + 1, now), runtime.Time.GetTimestamp());
            return new Ownership.Undecided("The session could not be restored.");
        }
    }

    // Every attempt is a new epoch, and work for nothing most likely.
    private static TimeSpan PauseAfter(int failures) => TimeSpan.FromMilliseconds(100 << Math.Min(failures - 1, 6));

    // A session may be taken back while its former copy here ends. It is counted once.
    private void Add(LiveSession session)
    {
        while (true)
        {
            if (_sessions.TryGetValue(session.Id, out var former))
            {
                if (_sessions.TryUpdate(session.Id, session, former))
                    return;
            }
            else if (_sessions.TryAdd(session.Id, session))
            {
                Interlocked.Increment(ref _count);
                if (session.User.Length > 0)
                    _users.AddOrUpdate(session.User, 1, static (_, count) => count + 1);
                return;
            }
        }
    }

    private void Forget(LiveSession session)
    {
        if (!_sessions.TryRemove(new KeyValuePair<string, LiveSession>(session.Id, session)))
            return;
        Interlocked.Decrement(ref _count);
        if (session.User.Length > 0 && _users.AddOrUpdate(session.User, 0, static (_, count) => count - 1) == 0)
            _users.TryRemove(new(session.User, 0));
    }

    private Activity? Trace(
        LiveSession session, SessionOwner before, SessionSnapshot taken, string reason, int rerun, int refused, TimeSpan duration, ActivityContext cause)
    {
        var span = SessionTrace.Start(SpanNames.TakeOver, taken.Record.TraceParent, session.Id, cause, runtime.Time.GetUtcNow() - duration);
        span?.SetTag(AttributeNames.Replica, runtime.ReplicaId);
        span?.SetTag(AttributeNames.Epoch, session.Epoch);
        span?.SetTag(AttributeNames.From, before.Owner);
        span?.SetTag(AttributeNames.To, runtime.ReplicaId);
        span?.SetTag(AttributeNames.Reason, reason);
        span?.SetTag(AttributeNames.EventsReplayed, taken.Journal.Count);
        span?.SetTag(AttributeNames.CallsRerun, rerun);
        span?.SetTag(AttributeNames.CallsRefused, refused);
        span?.SetTag(AttributeNames.Duration, duration.TotalSeconds);
        return span;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: what the store holds of it is damaged; other sessions go on.")]
    private partial void LogDamaged(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Session {SessionId} opened, protocol {ProtocolVersion}.")]
    private partial void LogOpened(string sessionId, string protocolVersion);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} could not be restored here.")]
    private partial void LogNotTakenOver(Exception exception, string sessionId);
}
