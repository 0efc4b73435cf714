using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.EventBus;
using Mcp.HighAvailability.Journal;
using Mcp.HighAvailability.Relay;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A session in its owner: the SDK's server, what it has in flight, and the queue through which all of its writes go.</summary>
/// <remarks>Invariant: nothing of a session that is closed here reaches a client or the store.</remarks>
internal sealed partial class LiveSession : ICommitOwner
{
    // Relays send an exchange again for as long as they hold it; the last attempt may take a moment more.
    private static readonly TimeSpan RepetitionMargin = TimeSpan.FromSeconds(30);

    private readonly SessionRuntime _runtime;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RecordedHandshake _handshake;
    private readonly Action<LiveSession> _onGone;
    private readonly SessionRecord _record;
    private readonly SessionScope _scope;
    private readonly UInt128 _past;
    private readonly bool _followsLoss;
    private readonly long _begun;
    private SessionHops _hops;
    private McpServer? _server;
    private TaskCompletionSource? _elsewhere;
    private bool _closed;
    private volatile bool _used;
    private long _streams;

    public LiveSession(SessionRuntime runtime, SessionRecord record, Action<LiveSession> onGone)
    {
        _runtime = runtime;
        _logger = runtime.Logger;
        _record = record;
        _scope = new(record.Id, runtime.ReplicaId, record.Epoch);
        _onGone = onGone;
        _handshake = new(record.Handshake);
        _hops = record.Hops;
        _followsLoss = record.Hops is [.., { Reason: TakeOverReasons.OwnerLost } last] && last.Epoch == record.Epoch;
        _begun = runtime.Time.GetTimestamp();
        _past = record.Epoch == 1 ? 0 : UInt128.Max(Handed(_handshake.Find(HandshakeKeys.Broadcast)), BroadcastIds.LastOf(record.Created));
        Queue = new(record, runtime.Commits, this);
        Transport = new(this);
        Calls = new(runtime.Options.RememberedCalls, runtime.Options.HoldTime + RepetitionMargin, runtime.Time) { InAll = runtime.Calls };
        GetStreams = new(record.Epoch, record.Handshake.ContainsKey(HandshakeKeys.LegacySse));
        Tail = new(IsNeeded);
        Unread = new(2 * runtime.Commits.PendingEntries, 4 * runtime.Commits.PendingBytes);
        LastUsed = runtime.Time.GetTimestamp();
        _used = record.Epoch > 1; // a session that has moved counts as used
        AwaitListener();
    }

    public string Id => _record.Id;

    public long Epoch => _record.Epoch;

    public string User => _record.User;

    public string ProtocolVersion { get; set; } = "";

    public SessionRecord Record => _record;

    public SessionTransport Transport { get; }

    public SessionStateBag State { get; } = new();

    public CallTable Calls { get; }

    public GetStreams GetStreams { get; }

    /// <summary>What of the journal is kept here. Guarded by the queue's gate.</summary>
    public JournalTail Tail { get; }

    public CommitQueue Queue { get; }

    /// <summary>Timestamp of the last request.</summary>
    public long LastUsed { get; private set; }

    /// <summary>Completes when this replica serves the session no longer.</summary>
    public Task Gone => _gone.Task;

    /// <summary>Whether the session takes requests here. A closed one is about to be <see cref="Gone"/>.</summary>
    public bool Serves => !Volatile.Read(ref _closed);

    private Lock Gate => Queue.Gate;

    /// <summary>Whether somebody reads a stream of it, or waits for a call.</summary>
    public bool InUse
    {
        get
        {
            lock (Gate)
                return Calls.AnyRunning || GetStreams.HasReader;
        }
    }

    /// <summary>Whether the session was used since it was opened.</summary>
    public bool WasUsed => _used;

    /// <summary>Keeps the store from expiring a session that is in use without writing anything.</summary>
    public Task KeepAsync(TimeSpan age) => Queue.KeepAsync(age);

    /// <summary>Asks the store, by a commit, whether the session is still ours; ends the local copy if not.</summary>
    public void Check() => _ = VerifyAsync();

    /// <summary>As <see cref="Check"/>; completes when the store has answered. Cancelled: the session is somebody else's.</summary>
    public Task VerifyAsync() => Queue.VerifyAsync();

    /// <summary>Starts the SDK's server.</summary>
    public void Start()
    {
        var server = _server = _runtime.CreateServer(Transport);
        // The server outlives the request that opens the session, so it must not keep that request's flow of execution.
        ThreadPool.UnsafeQueueUserWorkItem(static s => _ = s.Session.RunAsync(s.Server), (Session: this, Server: server), preferLocal: true);
    }

    /// <summary>Notes how long the take-over took that brought the session here.</summary>
    public void NoteTakeOver(TimeSpan took)
    {
        lock (Gate)
        {
            _hops = _hops.With(Epoch, took);
            Queue.NoteTakeOver(took);
        }
    }

    /// <summary>Notes a request, another message than <c>notifications/initialized</c>, or a stream.</summary>
    public void Touch()
    {
        LastUsed = _runtime.Time.GetTimestamp();
        if (!_used)
        {
            _used = true;
            Queue.NoteFirstUse();
        }
    }

    /// <summary>Whether the client has subscribed to a resource.</summary>
    public bool IsSubscribed(string uri)
    {
        lock (Gate)
            return _handshake.Contains(HandshakeKeys.Subscription + uri);
    }

    /// <summary>How much would be recorded of the session with a request and those in flight: subscriptions and bytes. Zero if it adds nothing.</summary>
    public (int Subscriptions, long Bytes) RecordedWith(JsonRpcRequest request)
    {
        if (RecordedHandshake.Change(request) is not { Value: not null } change)
            return default;
        lock (Gate)
        {
            if (_handshake.Growth(change.Key, change.Value) is not (> 0 and var growth))
                return default;
            var (subscriptions, bytes) = (_handshake.Subscriptions + 1, _handshake.Bytes + growth);
            foreach (var call in Calls.Open)
            {
                if (call.Method != RequestMethods.ResourcesSubscribe || RecordedHandshake.Change(call.Request) is not { } other || other.Key == change.Key)
                    continue;
                if (_handshake.Growth(other.Key, other.Value) is > 0 and var more)
                    (subscriptions, bytes) = (subscriptions + 1, bytes + more);
            }

            return (request.Method == RequestMethods.ResourcesSubscribe ? subscriptions : 0, bytes);
        }
    }

    /// <summary>Whether an exchange is in flight, or was lately answered.</summary>
    public bool IsKnown(ExchangeId exchange)
    {
        lock (Gate)
            return Calls.Find(exchange) is not null || Calls.Recall(exchange) is not null;
    }

    /// <summary>How many responses read streams of the session now.</summary>
    public int ReaderCount
    {
        get
        {
            lock (Gate)
                return GetStreams.Known.Sum(s => s.ReaderCount) + Calls.Open.Sum(c => c.Stream.ReaderCount);
        }
    }

    /// <summary>The log level that the client asked for; <see langword="null"/> if it did not.</summary>
    public LoggingLevel? ClientLogLevel => _server?.LoggingLevel;

    /// <summary>
    /// Cuts the connections, and lets go of requests that wait for the store, so that clients go to a replica that has it. The session stays:
    /// it goes on if it is still ours when the store is back.
    /// </summary>
    public void SendElsewhere()
    {
        EventStream[] streams;
        lock (Gate)
            streams = [.. GetStreams.Known, .. Calls.Open.Select(c => c.Stream), .. Queue.Unshown];
        foreach (var stream in streams)
            stream.Cut();
        Interlocked.Exchange(ref _elsewhere, null)?.TrySetResult();
    }

    /// <summary>Notes in the session's trace that a client has come back for the rest of a stream.</summary>
    public void TraceResume(string stream)
    {
        using var span = Trace(SpanNames.Resume);
        span?.SetTag(AttributeNames.Stream, stream);
    }

    /// <summary>Puts session, replica and epoch on what is logged until it is disposed; <see langword="null"/> while nobody listens.</summary>
    public IDisposable? BeginScope() => SessionTrace.IsOn ? _logger.BeginScope(_scope) : null;

    private Activity? Trace(string name, string? reason = null)
    {
        var span = SessionTrace.Start(name, _record.TraceParent, Id);
        span?.SetTag(AttributeNames.Replica, _runtime.ReplicaId);
        span?.SetTag(AttributeNames.Epoch, Epoch);
        if (reason is not null)
            span?.SetTag(AttributeNames.Reason, reason);
        return span;
    }

    private string NextCallStream() => SseEventId.NameStream(SseEventId.CallStream, Epoch, ++_streams);

    // What a request has begun goes on when the request itself is sent elsewhere. False: it was, or the session is no longer served here.
    private async ValueTask<bool> UnlessSentElsewhereAsync(Task<bool> work)
    {
        if (!work.IsCompleted)
        {
            var elsewhere = LazyInitializer.EnsureInitialized(ref _elsewhere, static () => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            if (await Task.WhenAny(work, elsewhere).ConfigureAwait(false) != work)
                return false;
        }

        return await work.ConfigureAwait(false);
    }

    private async Task RunAsync(McpServer server)
    {
        try
        {
            await server.RunAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stopping.IsCancellationRequested)
        {
            LogServerFailed(e, Id);
            Close();
        }
        catch (OperationCanceledException)
        {
            // The usual end.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: its server failed.")]
    private partial void LogServerFailed(Exception exception, string sessionId);
}
