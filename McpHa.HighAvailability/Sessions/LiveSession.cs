using System.Diagnostics;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Journal;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Sessions;

/// <summary>A session in its owner: the SDK's server, what it has in flight, and the queue through which all of its writes go.</summary>
/// <remarks>Invariant: nothing of a session that is closed here reaches a client or the store.</remarks>
internal sealed partial class LiveSession : ICommitOwner
{
    private readonly SessionRuntime _runtime;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _handshake;
    private readonly Action<LiveSession> _onGone;
    private readonly SessionRecord _record;
    private readonly SessionScope _scope;
    private SessionHops _hops;
    private McpServer? _server;
    private TaskCompletionSource? _elsewhere;
    private bool _closed;
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
        Queue = new(record, runtime.Commits, this);
        Transport = new(this);
        Calls = new(runtime.Options.RememberedCalls);
        GetStreams = new(record.Epoch, record.Handshake.ContainsKey(HandshakeKeys.LegacySse));
        Tail = new(IsNeeded);
        _earlyCancellations = new(runtime.Time, runtime.Options.HoldTime);
        LastUsed = runtime.Time.GetTimestamp();
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

    public void Touch() => LastUsed = _runtime.Time.GetTimestamp();

    /// <summary>Whether the client has subscribed to a resource.</summary>
    public bool IsSubscribed(string uri)
    {
        lock (Gate)
            return _handshake.ContainsKey(HandshakeKeys.Subscription + uri);
    }

    /// <summary>Whether subscriptions to these resources are within the limit. Those that are there already are no more for it.</summary>
    public bool MaySubscribe(IReadOnlyCollection<string> uris, int most)
    {
        lock (Gate)
        {
            var added = uris.Distinct(StringComparer.Ordinal).Count(uri => !_handshake.ContainsKey(HandshakeKeys.Subscription + uri));
            return added == 0 || _handshake.Count + added <= most ||
                _handshake.Keys.Count(key => key.StartsWith(HandshakeKeys.Subscription, StringComparison.Ordinal)) + added <= most;
        }
    }

    /// <summary>Whether a request is in flight, or was lately answered.</summary>
    public bool IsKnown(ReadOnlySpan<byte> body)
    {
        var key = CallKey.Of(body);
        lock (Gate)
            return Calls.Find(key) is not null || Calls.Recall(key) is not null;
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
    public ModelContextProtocol.Protocol.LoggingLevel? ClientLogLevel => _server?.LoggingLevel;

    void ICommitOwner.Fenced() => Close();

    (SessionSnapshot Snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State) ICommitOwner.Copy(long lastCommit)
    {
        var record = _record with
        {
            ProtocolVersion = ProtocolVersion,
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>>(_handshake),
            LastPosition = Queue.LastPosition,
            LastCommit = lastCommit,
            Hops = _hops,
        };
        return (new(record, InFlight(), Tail.Entries), State.Copy());
    }

    /// <summary>Ends the session for good, everywhere. <see langword="false"/>: it is no longer served here, its owner has to end it.</summary>
    /// <exception cref="StoreUnavailableException">Not known whether it has ended; the local copy has.</exception>
    public async Task<bool> EndAsync(string reason, CancellationToken cancellationToken)
    {
        StopServing();
        try
        {
            if (await _runtime.Store.EndAsync(Id, Epoch, cancellationToken).ConfigureAwait(false) == CommitResult.Fenced)
                return false;
        }
        finally
        {
            Close();
        }

        using var span = Trace(SpanNames.End, reason);
        using var scope = BeginScope();
        _runtime.Metrics.Ended(reason);
        LogEnded(Id, reason);
        return true;
    }

    /// <summary>Ends the session if nobody has used it for that long.</summary>
    public Task EndIdleAsync(TimeSpan idle, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            if (_closed || Calls.AnyRunning || GetStreams.HasReader || _runtime.Time.GetElapsedTime(LastUsed) < idle)
                return Task.CompletedTask;
            _closed = true;
        }

        return EndAsync("idle", cancellationToken);
    }

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

    /// <summary>Ends the local copy: no byte and no write follows. Connections are cut, so that clients come back to the new owner.</summary>
    public void Close()
    {
        StopServing();
        if (!_gone.TrySetResult())
            return;

        StopAwaitingListener();
        Queue.Stop();
        Transport.Close();
        _onGone(this);
        EventStream[] streams;
        OpenCall[] calls;
        lock (Gate)
        {
            calls = [.. Calls.Open];
            streams = [.. GetStreams.Known, .. calls.Select(c => c.Stream)];
        }

        foreach (var stream in streams)
            stream.Move();
        foreach (var call in calls)
            call.ForgetState();
        _ = DisposeServerAsync();
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

    // Under the gate. The in-flight table as it has to be.
    private Dictionary<string, ReadOnlyMemory<byte>> InFlight()
    {
        Dictionary<string, ReadOnlyMemory<byte>> table = [];
        foreach (var call in Calls.Open)
        {
            table[call.Stream.Id] = new InFlightCall(call.Key, call.Body).ToBytes();
            foreach (var (question, answer) in call.StoredAnswers ?? [])
                table[question] = answer;
        }

        foreach (var (stream, key) in Calls.Withdrawn)
            table[stream] = InFlightCall.Withdrawn(key);
        return table;
    }

    // Under the gate. Entries that a later owner needs: to go on with open calls, for GET streams to come, and to notice a gap.
    private bool IsNeeded(JournalEntry entry) =>
        Calls.Find(entry.Stream) is not null || entry.Stream == GetStreams.WaitingStream || GetStreams.IsLast(entry);

    // Under the gate. Puts a message into the open batch, at the next position of its stream.
    private JournalEntry Append(EventStream stream, ReadOnlyMemory<byte> payload, string answers = "", bool question = false)
    {
        var entry = Queue.Append(stream, payload, answers);
        Tail.Add(entry, question);
        return entry;
    }

    // Under the gate. Takes a message out of the journal again.
    private void Remove(long position)
    {
        Queue.Open().Remove(position);
        Tail.Remove(position);
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

    private bool StopServing()
    {
        lock (Gate)
        {
            if (_closed)
                return false;
            _closed = true;
            return true;
        }
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

    private async Task DisposeServerAsync()
    {
        try
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            if (_server is { } server)
                await server.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogServerFailed(e, Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Session {SessionId} ended: {Reason}.")]
    private partial void LogEnded(string sessionId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: its server failed.")]
    private partial void LogServerFailed(Exception exception, string sessionId);
}
