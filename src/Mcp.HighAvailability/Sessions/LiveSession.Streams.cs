using System.Runtime.CompilerServices;
using System.Security.Claims;
using Mcp.HighAvailability.EventBus;
using Mcp.HighAvailability.Journal;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>GET streams, what is sent on them, and resuming of any stream.</summary>
internal sealed partial class LiveSession
{
    /// <summary>Sends what belongs to no client request: on the newest GET stream, or later, when there is one.</summary>
    public Task SendUnrelatedAsync(JsonRpcMessage message, CancellationToken cancellationToken)
    {
        JsonRpcMessage outgoing;
        switch (message)
        {
            case JsonRpcRequest question:
                if (!GetStreams.HasReader && !IsLegacy)
                {
                    throw new InvalidOperationException(
                        $"'{question.Method}' cannot be sent: the client has no GET stream open, so it would never hear of it. Ask from inside a tool, prompt or resource handler, with the McpServer that the request context gives.");
                }

                var name = SseEventId.NameStream('s', Epoch, Interlocked.Increment(ref _unrelatedQuestions));
                _questions[name] = question.Id;
                outgoing = new JsonRpcRequest { Id = new RequestId(name), Method = question.Method, Params = question.Params };
                break;
            case JsonRpcNotification notification:
                outgoing = WithQuestionName(notification);
                break;
            default:
                // An answer without a request of ours: nothing that a client could use.
                return Task.CompletedTask;
        }

        return WriteUnrelatedAsync(outgoing).WaitAsync(cancellationToken);
    }

    /// <summary>Sends a notification that goes to many sessions, unless it is past.</summary>
    public Task BroadcastAsync(JsonRpcNotification notification, UInt128 id) => IsPast(id) ? Task.CompletedTask : WriteUnrelatedAsync(notification, id);

    /// <summary>Whether a broadcast is none for this owner any more: a former one has handed on it or a newer one, or the session came later.</summary>
    public bool IsPast(UInt128 broadcast) => broadcast <= _past;

    private Task WriteUnrelatedAsync(JsonRpcMessage outgoing, UInt128? broadcast = null)
    {
        var payload = JsonRpc.Serialize(outgoing);
        Task done;
        lock (Gate)
        {
            if (_closed)
                return Task.CompletedTask;
            var target = GetStreams.Target;
            if (Append(target, payload, MessageKinds.Of(outgoing)) is { } entry && target == GetStreams.Waiting && GetStreams.AddWaiting(entry.Position) is > 0 and var oldest)
                Remove(oldest);
            if (broadcast is { } id)
                NoteHanded(id);
            done = _runtime.Durable ? Queue.Open().Done : Task.CompletedTask;
        }

        Queue.Flush();
        return done;
    }

    // Under the gate. In the commit of the message itself, so that a new owner finds both or neither.
    private void NoteHanded(UInt128 broadcast)
    {
        if (broadcast <= Handed(_handshake.Find(HandshakeKeys.Broadcast)))
            return;
        var id = BroadcastIds.Write(broadcast);
        _handshake.Set(HandshakeKeys.Broadcast, id);
        Queue.Open().SetHandshake(HandshakeKeys.Broadcast, id);
    }

    private static UInt128 Handed(ReadOnlyMemory<byte>? newest) => newest is { } id ? BroadcastIds.Read(id.Span) : 0;

    /// <summary>Opens a GET stream. <see langword="null"/>: the session is no longer served here.</summary>
    /// <remarks>It begins with a byte that no commit goes before: one is made when the session may be somebody else's.</remarks>
    public async ValueTask<StreamSubscription?> OpenGetAsync(CancellationToken cancellationToken)
    {
        Touch();
        if (!_runtime.Commits.Standing.Leased && Serves &&
            !await UnlessSentElsewhereAsync(StillOursAsync()).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        StreamSubscription reader;
        bool move;
        lock (Gate)
        {
            if (_closed)
                return null;
            var stream = GetStreams.Open();
            stream.Prime();
            reader = stream.Attach();
            move = GetStreams.StartMoving();
        }

        if (move)
            _ = MoveWaitingAsync(reader.Stream!);
        return reader;
    }

    private async Task<bool> StillOursAsync() => await WrittenAsync(Queue.KeepAsync(TimeSpan.Zero)).ConfigureAwait(false);

    /// <summary>Goes on with a stream behind an event. A call that awaits its caller runs again, for the user who asks.</summary>
    public async ValueTask<Resumption> ResumeAsync(SseEventId after, ClaimsPrincipal? user, CancellationToken cancellationToken)
    {
        Touch();
        StreamSubscription? reader = null;
        List<OpenCall?> awaiting = [];
        var move = false;
        long last;
        var given = true;
        lock (Gate)
        {
            if (_closed)
                return new Resumption.Moved();
            if (after.Epoch > Epoch || after.Position > Queue.LastPosition || !after.IsCall && !GetStreams.WasOpened(after))
            {
                given = false;
            }
            else if (after.IsCall)
            {
                if (Calls.WasWithdrawn(after.Stream))
                    return new Resumption.NothingLeft();
                var call = Calls.Find(after.Stream);
                reader = call?.Stream.Attach();
                awaiting.Add(StopAwaiting(call));
            }
            else
            {
                var stream = GetStreams.Find(after.Stream);
                stream.Prime();
                reader = stream.Attach();
                move = GetStreams.StartMoving();
                if (IsLegacy)
                    awaiting.AddRange(Calls.Open.Select(StopAwaiting));
            }

            last = reader?.Stream!.LastPosition ?? 0;
        }

        // An id that was not given here was given by the next owner, of whom this one has not heard yet, or by nobody.
        if (!given)
            return await IsOursAsync(cancellationToken).ConfigureAwait(false) ? new Resumption.Unknown() : new Resumption.Moved();

        foreach (var call in awaiting)
            RunAgain(call, user);

        // Attached before the journal is read, so nothing falls between the two; what comes twice is recognised by its position.
        var served = false;
        try
        {
            var resumption = await ResumeAsync(after, reader, last, cancellationToken).ConfigureAwait(false);
            served = resumption is Resumption.Reading;
            return resumption;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Resumption.Moved();
        }
        finally
        {
            if (!served && reader is not null)
                Detach(reader);
            if (move)
                _ = served ? MoveWaitingAsync(reader!.Stream!) : MoveWaitingElsewhereAsync();
        }
    }

    private async ValueTask<Resumption> ResumeAsync(SseEventId after, StreamSubscription? reader, long last, CancellationToken cancellationToken)
    {
        var (known, next) = await LookAsync(after, cancellationToken).ConfigureAwait(false);

        // What is missing on the stream of a call is notifications: its answer is kept longer, and counts.
        if (!after.IsCall && (next is { } first ? first.Previous > after.Position : last > after.Position))
            return new Resumption.Trimmed();

        if (reader is null)
        {
            if (next is null)
                return known ? new Resumption.NothingLeft() : new Resumption.Trimmed();
            var answered = new EventStream(after.Stream);
            answered.Prime();
            answered.Complete();
            reader = answered.Attach();
        }

        reader.StartWithCatchUp();
        return new Resumption.Reading(reader);
    }

    /// <summary>
    /// The messages of a stream behind a position, as the journal has them when everything is written that waits now, and when a store that
    /// has lost the session has got it back.
    /// </summary>
    /// <exception cref="OperationCanceledException">Also when the session is no longer served here.</exception>
    public async IAsyncEnumerable<JournalEntry> ReadJournalAsync(string stream, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // An answer that is on its way to the journal must not be taken for one that is no longer kept. A commit tells, besides, whether the
        // session is still ours to be read from.
        await Queue.VerifyAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        var ofAll = stream == GetStreams.Only?.Id;
        await foreach (var entry in _runtime.Journal.ReadAsync(Id, ofAll ? "" : stream, after, cancellationToken).ConfigureAwait(false))
            yield return entry;
    }

    /// <summary>A response that reads a stream has ended.</summary>
    public static void Detach(StreamSubscription reader) => reader.Stream!.Detach(reader);

    // Whether the journal knows the stream at all, and the first entry that the client has not seen.
    private async ValueTask<(bool Known, JournalEntry? Next)> LookAsync(SseEventId after, CancellationToken cancellationToken)
    {
        var known = false;
        await foreach (var entry in ReadJournalAsync(after.Stream, 0, cancellationToken).ConfigureAwait(false))
        {
            known = true;
            if (entry.Position > after.Position)
                return (true, entry);
        }

        return (known, null);
    }

    // Gives the messages that waited to a stream, in their order and each once: one commit writes them there and removes them here.
    // While that goes on newer messages queue up behind them: it has begun (GetStreams.StartMoving) when the reader attached.
    private async Task MoveWaitingAsync(EventStream target)
    {
        try
        {
            while (true)
            {
                List<JournalEntry> waiting = [];
                await foreach (var entry in ReadJournalAsync(GetStreams.WaitingStream, 0, CancellationToken.None).ConfigureAwait(false))
                    waiting.Add(entry);
                lock (Gate)
                {
                    foreach (var entry in waiting)
                    {
                        if (!GetStreams.TakeWaiting(entry.Position))
                            continue;
                        Append(target, entry.Payload, MessageKinds.Of(JsonRpc.Parse(entry.Payload.Span)));
                        Remove(entry.Position);
                    }

                    if (GetStreams.WaitingCount == 0 || waiting.Count == 0)
                    {
                        GetStreams.Moving = false;
                        break;
                    }
                }
            }

            Queue.Flush();
        }
        catch (Exception e)
        {
            lock (Gate)
                GetStreams.Moving = false;
            if (e is not OperationCanceledException)
                LogWaitingNotMoved(e, Id);
        }
    }

    // A resume that was to move them came to nothing; a reader that attached meanwhile has left it to that.
    private Task MoveWaitingElsewhereAsync()
    {
        EventStream target;
        lock (Gate)
        {
            GetStreams.Moving = false;
            target = GetStreams.Target;
            if (target == GetStreams.Waiting || !GetStreams.StartMoving())
                return Task.CompletedTask;
        }

        return MoveWaitingAsync(target);
    }

    [Microsoft.Extensions.Logging.LoggerMessage(Level = Microsoft.Extensions.Logging.LogLevel.Warning, Message = "Session {SessionId}: messages that wait for a GET stream could not be given to it; the next one gets them.")]
    private partial void LogWaitingNotMoved(Exception exception, string sessionId);
}
