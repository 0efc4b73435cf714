using System.Diagnostics;
using System.Security.Claims;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The sessions of this replica: opens them, and finds who serves one.</summary>
internal sealed partial class SessionHost
{
    private const int MaxRounds = 8;

    private static readonly ReadOnlyMemory<byte> Mark = "{}"u8.ToArray();

    private readonly SessionRuntime _runtime;
    private readonly ILogger _logger;
    private readonly SessionTable _table;
    private readonly OwnershipRule _rule;
    private readonly TakeOvers _takeOvers;

    public SessionHost(
        SessionRuntime runtime, ReplicaDirectory directory, IEventBus bus, ILogger<SessionHost> logger, IEnumerable<ISessionObserver>? observers = null)
    {
        (_runtime, _logger, _table) = (runtime, logger, new(runtime.Time, [.. observers ?? []]));
        _rule = new(runtime.ReplicaId, directory);
        _takeOvers = new(runtime, _rule, _table, bus, logger);
    }

    /// <inheritdoc cref="SessionTable.All"/>
    public IEnumerable<LiveSession> Sessions => _table.All;

    /// <inheritdoc cref="SessionTable.Looks"/>
    public DueQueue<LiveSession> Looks => _table.Looks;

    /// <inheritdoc cref="TakeOvers.Admission"/>
    public TakeOverAdmission Admission => _takeOvers.Admission;

    public int SessionCount => _table.Count;

    public int CallCount => _runtime.Calls.Count;

    /// <inheritdoc cref="OwnershipRule.Draining"/>
    public bool Draining
    {
        get => _rule.Draining;
        set => _rule.Draining = value;
    }

    /// <inheritdoc cref="OwnershipRule.Ending"/>
    public bool Ending
    {
        get => _rule.Ending;
        set => _rule.Ending = value;
    }

    /// <summary>The replica ends and has no session left. Requests that still wait here for another replica delay the end.</summary>
    public bool Drained => Ending && _table.IsEmpty;

    /// <summary>The session if this replica serves it.</summary>
    public LiveSession? Find(string sessionId) => _table.Find(sessionId);

    /// <summary>How many sessions of a user this replica has.</summary>
    public int SessionsOf(string user) => _table.CountOf(user);

    /// <inheritdoc cref="OwnershipRule.Successor"/>
    public ReplicaInfo? Successor(string key) => _rule.Successor(key);

    /// <inheritdoc cref="TakeOvers.WhenDoneAsync"/>
    public Task TakenOverAsync() => _takeOvers.WhenDoneAsync();

    /// <summary>Finds the replica that serves a session; takes the session over when it has none.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="cancellationToken">Gives up waiting; a take-over that has begun goes on.</param>
    /// <param name="purpose">What a take-over would be for.</param>
    public async ValueTask<Ownership> FindAsync(string sessionId, CancellationToken cancellationToken, TakeOverFor purpose = TakeOverFor.Call)
    {
        for (var round = 0; round < MaxRounds; round++)
        {
            if (_table.Find(sessionId) is { } session)
            {
                if (session.Serves)
                    return new Ownership.Local(session);
                await session.Gone.WaitAsync(cancellationToken).ConfigureAwait(false);
            }

            if (_takeOvers.Find(sessionId, purpose) is { } running)
                return await running.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                var writtenBack = _rule.WrittenBack;
                if (await _runtime.Store.FindAsync(sessionId, cancellationToken).ConfigureAwait(false) is not { } record)
                {
                    var missing = await _rule.OfMissingAsync(sessionId, writtenBack, cancellationToken).ConfigureAwait(false);

                    // Its owner may have written it back since the look, and given it up. Then this replica may have it by now.
                    if (missing is Ownership.None && (_takeOvers.Find(sessionId, purpose) is not null || _table.Find(sessionId) is not null))
                        continue;
                    return missing;
                }

                if (_rule.OfRecord(sessionId, record) is { } elsewhere)
                    return elsewhere;
            }
            catch (StoreUnavailableException e)
            {
                return new Ownership.Undecided(e.Message);
            }
            catch (InvalidDataException e)
            {
                LogDamaged(e, sessionId);
                return new Ownership.Damaged("The record of this session is damaged. Open a new session with 'initialize'.");
            }

            _takeOvers.Start(sessionId, purpose);
        }

        return new Ownership.Undecided("The session changed its owner too often during this request.");
    }

    /// <summary>Goes on with a stream behind an event; see <see cref="StreamReaders.ResumeAsync"/>.</summary>
    /// <exception cref="StoreUnavailableException">
    /// The event is not known here, and the store may have lost that the session was taken over: a later owner may have given it.
    /// </exception>
    public async ValueTask<Resumption> ResumeAsync(LiveSession session, SseEventId after, ClaimsPrincipal? user, CancellationToken cancellationToken)
    {
        var writtenBack = _rule.WrittenBack;
        var resumption = await session.ResumeAsync(after, user, cancellationToken).ConfigureAwait(false);
        if (resumption is Resumption.Unknown && !await _rule.IsWholeAsync(writtenBack, cancellationToken).ConfigureAwait(false))
            throw new StoreUnavailableException(OwnershipRule.Unchecked);
        return resumption;
    }

    /// <summary>Opens a session for a client's <c>initialize</c>. The answer is the server's; with an error there is no session.</summary>
    public async Task<(LiveSession? Session, JsonRpcMessageWithId Answer)> OpenAsync(
        JsonRpcRequest initialize, SessionOpening opening, string user, CancellationToken cancellationToken)
    {
        var clientId = initialize.Id;
        using var activity = SessionTrace.Create();
        var begin = await _runtime.Broadcasts.BeginAsync(cancellationToken).ConfigureAwait(false);
        var record = NewRecord(opening, user, "", HandshakeKeys.Initialize, RecordedHandshake.Initialize(initialize), begin, activity);
        var session = new LiveSession(_runtime, record, SessionBroadcasts.Begin(begin), _table.Remove);
        try
        {
            await StartAsync(session, opening, cancellationToken).ConfigureAwait(false);
            var answer = await Handshake.RunAsync(session, initialize, opening.User, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Opens a session that sends everything on one stream, for a client that has not sent <c>initialize</c> yet.</summary>
    /// <param name="opening">The request that opens it.</param>
    /// <param name="user">Whose it is.</param>
    /// <param name="revision">The revision that counts on the wire.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task<LiveSession> OpenWithOneStreamAsync(SessionOpening opening, string user, string revision, CancellationToken cancellationToken)
    {
        using var activity = SessionTrace.Create();
        var begin = await _runtime.Broadcasts.BeginAsync(cancellationToken).ConfigureAwait(false);
        var record = NewRecord(opening, user, revision, HandshakeKeys.OneStream, Mark, begin, activity);
        activity?.SetTag(AttributeNames.ProtocolVersion, record.ProtocolVersion);
        var session = new LiveSession(_runtime, record, SessionBroadcasts.Begin(begin), _table.Remove) { ProtocolVersion = revision };
        try
        {
            await StartAsync(session, opening, cancellationToken).ConfigureAwait(false);
            await KeepAsync(session, record, cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            session.Close();
            throw;
        }
    }

    private ValueTask StartAsync(LiveSession session, SessionOpening opening, CancellationToken cancellationToken)
    {
        session.Runner.Run(static core => core.Commits.AwaitsRecord = true);
        return session.Activation.StartAsync(_runtime.Hooks?.ContextOf(opening, session.Id), cancellationToken);
    }

    private SessionRecord NewRecord(
        SessionOpening opening, string user, string protocolVersion, string key, ReadOnlyMemory<byte> value, BroadcastCursor begin, Activity? activity)
    {
        var id = SessionIds.New(_runtime.ReplicaId);
        var handshake = new Dictionary<string, ReadOnlyMemory<byte>> { [key] = value, [HandshakeKeys.Broadcast] = SessionBroadcasts.Write(begin.Position) };
        if (_runtime.Hooks is { } hooks)
            handshake[HandshakeKeys.Opening] = hooks.Record(opening, id);
        var record = new SessionRecord
        {
            Id = id,
            Owner = _runtime.ReplicaId,
            Epoch = 1,
            User = user,
            TraceParent = activity?.Id ?? "",
            ProtocolVersion = protocolVersion,
            Created = _runtime.Time.GetUtcNow(),
            Handshake = handshake,
        };
        activity?.SetTag(AttributeNames.SessionId, record.Id);
        activity?.SetTag(AttributeNames.Replica, _runtime.ReplicaId);
        activity?.SetTag(AttributeNames.Epoch, record.Epoch);
        return record;
    }

    private async Task KeepAsync(LiveSession session, SessionRecord record, CancellationToken cancellationToken)
    {
        if (!await _runtime.Store.CreateAsync(record, cancellationToken).ConfigureAwait(false))
            throw new InvalidOperationException("A new session id is already in use. Check the random number generator of this machine.");
        _table.Add(session);
        session.Runner.Run(static core => core.Commits.AwaitsRecord = false);
        _runtime.Metrics.Created();
        using var scope = session.BeginScope();
        LogOpened(record.Id, session.ProtocolVersion);
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId}: its record in the store is damaged. Its client is told to open a new session. Delete the record, or let it expire " +
            "(HighAvailability:Sessions:IdleTimeout).")]
    private partial void LogDamaged(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Session {SessionId} opened, protocol {ProtocolVersion}.")]
    private partial void LogOpened(string sessionId, string protocolVersion);
}
