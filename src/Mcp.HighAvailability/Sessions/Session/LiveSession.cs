using System.Diagnostics;
using System.Security.Claims;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A session in its owner: its state and the runner of its steps, the SDK's server, and what takes its inputs.</summary>
/// <remarks>Invariant: nothing of a session that is over here reaches a client or the store.</remarks>
internal sealed partial class LiveSession
{
    // Relays send an exchange again for as long as they hold it; the last attempt may take a moment more.
    private static readonly TimeSpan RepetitionMargin = TimeSpan.FromSeconds(30);

    private readonly ILogger _logger;
    private readonly Action<LiveSession> _onGone;
    private readonly SessionCore _core;
    private readonly SessionScope _scope;
    private readonly ClientRequests _requests;
    private readonly ClientMessages _messages;
    private readonly StreamReaders _readers;
    private volatile bool _used;

    public LiveSession(SessionRuntime runtime, SessionRecord record, SessionBroadcasts broadcasts, Action<LiveSession> onGone)
    {
        Runtime = runtime;
        _logger = runtime.Logger;
        _scope = new(record.Id, runtime.ReplicaId, record.Epoch);
        _onGone = onGone;
        _core = new(record, broadcasts, runtime.Commits,
            new(runtime.Options.RememberedCalls, runtime.Options.HoldTime + RepetitionMargin, runtime.Time) { InAll = runtime.Calls });
        Runner = new(_core, runtime.Commits, Close);
        Transport = new(this);
        Activation = new(this);
        Reruns = new(this);
        Outgoing = new(this);
        Unrelated = new(this);
        Broadcasts = new(this);
        _requests = new(this);
        _messages = new(this);
        _readers = new(this);
        LastUsed = runtime.Time.GetTimestamp();
        _used = record.Epoch > 1; // a session that has moved counts as used
    }

    public string Id => Record.Id;

    public long Epoch => Record.Epoch;

    public string User => Record.User;

    public SessionRecord Record => _core.Record;

    public string ProtocolVersion
    {
        get => _core.ProtocolVersion;
        set => _core.ProtocolVersion = value;
    }

    public SessionRuntime Runtime { get; }

    public SessionRunner Runner { get; }

    public SessionTransport Transport { get; }

    /// <summary>The SDK's server.</summary>
    public Activation Activation { get; }

    /// <summary>Calls that were in flight in an earlier owner.</summary>
    public CallReruns Reruns { get; }

    /// <summary>Messages of handlers of calls.</summary>
    public CallMessages Outgoing { get; }

    /// <summary>Messages of the server outside calls.</summary>
    public UnrelatedMessages Unrelated { get; }

    /// <summary>Responses of GET streams, as readers of the broadcast log.</summary>
    public BroadcastReaders Broadcasts { get; }

    public SessionStateBag State => _core.State;

    /// <inheritdoc cref="GetStreams.Only"/>
    public EventStream? OneStream => _core.GetStreams.Only;

    /// <inheritdoc cref="SessionCore.HasOneStream"/>
    public bool HasOneStream => _core.HasOneStream;

    /// <summary>When it is to be looked at next, whether it is idle.</summary>
    public Due<LiveSession>? Look { get; set; }

    /// <summary>Timestamp of the last request.</summary>
    public long LastUsed { get; private set; }

    /// <summary>Whether the session was used since it was opened.</summary>
    public bool WasUsed => _used;

    /// <summary>Completes when this replica serves the session no longer.</summary>
    public Task Gone => Runner.WhenAsync(static core => core.Phase.IsOver());

    /// <summary>Whether the session takes requests here. One that does not drains, or is over.</summary>
    public bool Serves => Runner.Read(static core => core.IsActive);

    /// <summary>Whether this replica has nothing more to do with the session. One that drains still has.</summary>
    public bool IsOver => Runner.Read(static core => core.Phase.IsOver());

    /// <summary>Whether the session was given up in good order, so that a client may be told to come back for it.</summary>
    public bool HandedOver => Runner.Read(static core => core.HandedOver);

    /// <summary>Whether a stream of it is read, or a call is open.</summary>
    public bool InUse => Runner.Read(static core => core.Calls.AnyRunning || core.GetStreams.HasReader);

    /// <summary>Whether the store's expiry is that of a session that was never used, although this one was.</summary>
    public bool TouchDue => Runner.Read(static core => core.Commits.TouchDue);

    /// <summary>Whether so much waits for the store that no new call may begin.</summary>
    public bool IsBehind => Runner.Read(static core => core.Commits.IsFull);

    /// <summary>Calls in flight, and the bytes of their requests.</summary>
    public (int Count, long Bytes) CallsInFlight => Runner.Read(static core => (core.Calls.Count, core.Calls.Bytes));

    /// <summary>How many responses read streams of the session now.</summary>
    public int ReaderCount => Runner.Read(static core => core.GetStreams.Known.Sum(s => s.ReaderCount) + core.Calls.Open.Sum(c => c.Stream.ReaderCount));

    /// <inheritdoc cref="ClientRequests.AdmitAsync"/>
    public ValueTask<StreamSubscription?> AdmitAsync(JsonRpcRequest request, ReadOnlyMemory<byte> body, ClientExchange from, ClaimsPrincipal? user) =>
        _requests.AdmitAsync(request, body, from, user);

    /// <inheritdoc cref="ClientMessages.AcceptAsync"/>
    public ValueTask<bool> AcceptAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body, ExchangeId exchange, ClaimsPrincipal? user) =>
        _messages.AcceptAsync(message, body, exchange, user);

    /// <inheritdoc cref="StreamReaders.OpenGet"/>
    public StreamSubscription? OpenGet() => _readers.OpenGet();

    /// <inheritdoc cref="StreamReaders.ResumeAsync"/>
    public ValueTask<Resumption> ResumeAsync(SseEventId after, ClaimsPrincipal? user, CancellationToken cancellationToken) =>
        _readers.ResumeAsync(after, user, cancellationToken);

    /// <inheritdoc cref="StreamReaders.ReadJournalAsync"/>
    public IAsyncEnumerable<JournalEntry> ReadJournalAsync(string stream, long after, CancellationToken cancellationToken) =>
        _readers.ReadJournalAsync(stream, after, cancellationToken);

    /// <inheritdoc cref="ClientRequests.Dispatch"/>
    public void Dispatch(OpenCall call, ClaimsPrincipal? user, ExecutionContext? flow) => _requests.Dispatch(call, user, flow);

    /// <inheritdoc cref="ClientMessages.Deliver"/>
    public bool Deliver(string name, JsonRpcMessageWithId answer) => _messages.Deliver(name, answer);

    /// <summary>A response that reads a stream has ended.</summary>
    public static void Detach(StreamSubscription reader) => reader.Stream!.Detach(reader);

    /// <summary>Notes how long the take-over took that brought the session here.</summary>
    public void NoteTakeOver(TimeSpan took) => Runner.Run(took, static (core, took) =>
    {
        core.Hops = core.Hops.With(core.Record.Epoch, took);
        core.Commits.NoteTakeOver(took);
        return true;
    });

    /// <summary>Notes a request, another message than <c>notifications/initialized</c>, or a stream.</summary>
    public void Touch()
    {
        LastUsed = Runtime.Time.GetTimestamp();
        if (_used)
            return;
        _used = true;
        Runner.Run(static core => core.Commits.TouchDue = true);
    }

    /// <summary>Keeps the store from expiring a session that is in use without writing anything.</summary>
    public Task KeepAsync(TimeSpan age) => Runner.WrittenAsync(Runner.Run(age, static (core, age) => core.Commits.Keep(age)));

    /// <summary>Waits until everything is written that waits now. Cancelled when it will not be.</summary>
    public Task DrainAsync() => Runner.WrittenAsync(Runner.Run(static core => core.Commits.Drain()));

    /// <summary>Asks the store, by a commit, whether the session is still ours; ends the local copy if not.</summary>
    public void Check() => _ = VerifyAsync();

    /// <summary>As <see cref="Check"/>; completes when the store has answered. Cancelled: another replica owns the session.</summary>
    public Task VerifyAsync() => Runner.WrittenAsync(Runner.Run(static core => core.Commits.Flush()));

    /// <summary>
    /// Asks the store whose session it is; ends the local copy if it is another's. What belongs to nothing here is dropped only after that: it may
    /// belong to the next owner, which this one may not know yet, above all when it alone is cut off from the store.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The store is away, so the answer is unknown. The client's message has to wait.</exception>
    public async ValueTask<bool> IsOursAsync(CancellationToken cancellationToken)
    {
        if (!await IsAnothersAsync(cancellationToken).ConfigureAwait(false))
            return Serves;
        Close();
        return false;
    }

    /// <summary>
    /// Whether the store names another owner, of a newer epoch or of the same one: a store that has lost a take-over gives its epoch again.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async ValueTask<bool> IsAnothersAsync(CancellationToken cancellationToken) =>
        await Runtime.Store.FindAsync(Id, cancellationToken).ConfigureAwait(false) is { } record &&
        (record.Epoch > Epoch || record.Epoch == Epoch && record.Owner.Length > 0 && record.Owner != Record.Owner);

    /// <summary>Whether the client has subscribed to a resource.</summary>
    public bool IsSubscribed(string uri) => Runner.Read(uri, static (core, uri) => core.Handshake.Contains(HandshakeKeys.Subscription + uri));

    /// <summary>How much would be recorded of the session with a request and those in flight: subscriptions and bytes. Zero if it adds nothing.</summary>
    public (int Subscriptions, long Bytes) RecordedWith(JsonRpcRequest request) => RecordedHandshake.Change(request) is { Value: not null } change
        ? Runner.Read((change, request.Method), static (core, asked) => core.Handshake.With(asked.change, asked.Method, core.Calls.Open))
        : default;

    /// <summary>Whether an exchange is in flight, or was lately answered.</summary>
    public bool IsKnown(ExchangeId exchange) =>
        Runner.Read(exchange, static (core, exchange) => core.Calls.Find(exchange) is not null || core.Calls.Recall(exchange) is not null);

    /// <summary>Whether the client has cancelled the call of a stream: it has no answer.</summary>
    public bool WasWithdrawn(string stream) => Runner.Read(stream, static (core, stream) => core.Calls.WasWithdrawn(stream));

    /// <summary>Notes that a response has carried an entry to its client, as far as the web server can tell.</summary>
    public void NoteRead(JournalEntry entry)
    {
        if (_core.Unread.Any)
        {
            Runner.Run(entry.Position, static (core, position) =>
            {
                core.Unread.Remove(position);
                return true;
            });
        }
    }

    /// <summary>Ends the session for good, everywhere. <see langword="false"/>: it is no longer served here, its owner has to end it.</summary>
    /// <exception cref="StoreUnavailableException">Not known whether it has ended; the local copy has.</exception>
    public async Task<bool> EndAsync(string reason, CancellationToken cancellationToken)
    {
        Runner.Run(static core => core.TryBecome(SessionPhase.Draining));
        try
        {
            if (await Runtime.Store.EndAsync(Id, Epoch, cancellationToken).ConfigureAwait(false) == CommitResult.Fenced)
                return false;
            Leave(SessionPhase.Ended);
        }
        finally
        {
            Close();
        }

        using var span = Trace(SpanNames.End, reason);
        using var scope = BeginScope();
        Runtime.Metrics.Ended(reason);
        LogEnded(Id, reason);
        return true;
    }

    /// <summary>Ends the session if it was not used for that long.</summary>
    public Task EndIdleAsync(TimeSpan idle, CancellationToken cancellationToken)
    {
        var isIdle = Runtime.Time.GetElapsedTime(LastUsed) >= idle;
        return Runner.Run(isIdle, HandOverSteps.DrainIdle) ? EndAsync("idle", cancellationToken) : Task.CompletedTask;
    }

    /// <summary>Ends the local copy: no byte and no write follows. Connections are cut, so that clients come back to the new owner.</summary>
    public void Close() => Leave(SessionPhase.Fenced);

    /// <summary>Ends the local copy of a session that was handed over.</summary>
    public void CloseHandedOver() => Leave(SessionPhase.Ended);

    /// <summary>Notes in the session's trace that a client has come back for the rest of a stream.</summary>
    public void TraceResume(string stream)
    {
        using var span = Trace(SpanNames.Resume);
        span?.SetTag(AttributeNames.Stream, stream);
    }

    /// <summary>Puts session, replica and epoch on what is logged until it is disposed; <see langword="null"/> without a listener.</summary>
    public IDisposable? BeginScope() => SessionTrace.IsOn ? _logger.BeginScope(_scope) : null;

    /// <summary>A span of the session's trace; <see langword="null"/> without a listener.</summary>
    public Activity? Trace(string name, string? reason = null)
    {
        var span = SessionTrace.Start(name, Record.TraceParent, Id);
        span?.SetTag(AttributeNames.Replica, Runtime.ReplicaId);
        span?.SetTag(AttributeNames.Epoch, Epoch);
        SessionTrace.Explain(span, reason ?? "");
        return span;
    }

    private void Leave(SessionPhase end)
    {
        if (Runner.Run(end, HandOverSteps.Leave) is not { } left)
            return;
        Transport.Close();

        // First the end, then the readers: they come back for the session at once, and must not find this copy of it.
        _onGone(this);
        foreach (var stream in left.Streams)
            stream.Move();
        foreach (var call in left.Calls)
            call.ForgetState();
        _ = Activation.DisposeAsync();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Session {SessionId} ended: {Reason}.")]
    private partial void LogEnded(string sessionId, string reason);
}
