using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Carries one stream of a session to one HTTP response.</summary>
/// <remarks>Invariant: positions go up on a response, so what is both journaled and posted is sent once.</remarks>
internal sealed class StreamPump(HttpContext context, LiveSession session, StreamSubscription reader, KeepAliveClock keepAlive,
    Diagnostics.SessionMetrics metrics)
{
    private const string Unstored = "The store is away, and the answer could not be stored in time (HighAvailability:DurableTimeout).";
    private const string MayHaveRun = Unstored + " The request may have run. Check its effect before you repeat it.";
    private const int BroadcastsAtOnce = 32;

    private readonly EventStreamResponse _response = new(context);
    private long _position;
    private bool _caughtUp;
    private bool _idSent;
    private bool _answered;
    private RequestId _requestId;
    private BroadcastMarks? _marks;

    private bool IsCall => reader.Stream!.Id.StartsWith(SseEventId.CallStream);

    /// <summary>HTTP+SSE: the address of the first event, which says where to post. The stream can be resumed when that has arrived.</summary>
    public string? Greeting { get; init; }

    /// <summary>Answers a POST: a lone answer as JSON, everything else as a stream. <see langword="false"/>: nothing was sent, the session has moved.</summary>
    public Task<bool> AnswerAsync(RequestId requestId)
    {
        _requestId = requestId;
        return RunAsync(alwaysStream: false);
    }

    /// <summary>Serves a GET, from a position on. <see langword="false"/>: nothing was sent, the session has moved.</summary>
    public Task<bool> StreamAsync(long after)
    {
        _position = after;
        return RunAsync(alwaysStream: true);
    }

    private async Task<bool> RunAsync(bool alwaysStream)
    {
        var gone = context.RequestAborted;
        try
        {
            if (alwaysStream)
            {
                await StartAsync(gone).ConfigureAwait(false);
                // Never on the stream of a call.
                if (!IsCall)
                    _marks = session.Broadcasts.Follow(reader);
            }

            while (true)
            {
                var item = await reader.ReadAsync(gone).ConfigureAwait(false);
                switch (item.Kind)
                {
                    case StreamItemKind.Event when !await SendAsync(item.Entry!, alwaysStream, gone).ConfigureAwait(false):
                        return true;
                    case StreamItemKind.Event:
                        break;
                    case StreamItemKind.CatchUp:
                        _caughtUp = true;
                        await foreach (var entry in session.ReadJournalAsync(reader.Stream!.Id, _position, gone).ConfigureAwait(false))
                        {
                            metrics.Replayed();
                            if (!await SendAsync(entry, alwaysStream, gone).ConfigureAwait(false))
                                return true;
                        }

                        break;
                    case StreamItemKind.Primed when _response.Started:
                        break;
                    case StreamItemKind.Primed when McpHeaders.HasPriming(session.ProtocolVersion):
                        await StartAsync(gone).ConfigureAwait(false);
                        break;
                    case StreamItemKind.Primed:
                        // A client of an older revision could not resume from headers alone: as long as there are none, whatever stands
                        // in front may send the request again when this connection breaks.
                        keepAlive.Add(reader);
                        break;
                    case StreamItemKind.Broadcasts:
                        await SendBroadcastsAsync(gone).ConfigureAwait(false);
                        break;
                    case StreamItemKind.KeepAlive:
                        if (!_response.Started)
                            Start(_position);
                        _response.WriteKeepAlive();
                        await _response.FlushAsync(gone).ConfigureAwait(false);
                        break;
                    case StreamItemKind.Poll:
                        if (!_response.Started)
                            Start(_position);
                        _response.WriteRetry(Id(_position), item.Retry);
                        await _response.FlushAsync(gone).ConfigureAwait(false);
                        return true;
                    case StreamItemKind.Overdue when _response.Started && !context.Request.Headers.ContainsKey(HaHeaders.Relay):
                        metrics.Overdue();
                        _response.WriteEvent(new SseEventId(reader.Stream!.Id, _position),
                            JsonRpc.Serialize(JsonRpc.Error(_requestId, JsonRpc.MayHaveRun, MayHaveRun)));
                        await _response.FlushAsync(gone).ConfigureAwait(false);
                        return true;
                    case StreamItemKind.Overdue:
                        // The gate tries again before it answers, or a relay comes back for the answer.
                        throw new StoreUnavailableException(Unstored);
                    case StreamItemKind.Moved:
                        return Moved();
                    case StreamItemKind.Completed when _caughtUp && !_response.Started:
                        await HttpAnswers.ErrorAsync(
                            context, StatusCodes.Status400BadRequest, JsonRpc.HistoryTrimmed,
                            "This request was answered before, and its answer is no longer kept. It was not run again. Send a new request.", _requestId)
                                .ConfigureAwait(false);
                        return true;
                    case StreamItemKind.Completed when _caughtUp && IsCall && !_answered && !session.WasWithdrawn(reader.Stream!.Id):
                        // Not a clean end: the client would wait for the answer. It resumes, and is told what has become of it.
                        context.Abort();
                        return true;
                    case StreamItemKind.Completed:
                        if (!_response.Started)
                            context.Response.StatusCode = StatusCodes.Status202Accepted;
                        return true;
                }
            }
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // The client has gone; its call goes on, and it may come back for the answer.
            return true;
        }
        catch (OperationCanceledException)
        {
            // Fenced while it read the journal.
            return Moved();
        }
        finally
        {
            keepAlive.Remove(reader);
            if (IsCall)
                LiveSession.Detach(reader);
            else
                session.Broadcasts.Leave(reader);
        }
    }

    private bool Moved()
    {
        // Not a clean end: the reader must know that there is more, at the next owner. A client that has had an id knows it by that, also of a
        // clean end, which in good order it gets.
        var knows = session.HandedOver && _idSent && !context.Request.Headers.ContainsKey(HaHeaders.Relay);
        if (_response.Started && !knows)
            context.Abort();
        return _response.Started;
    }

    // False: the response is complete.
    private async ValueTask<bool> SendAsync(JournalEntry entry, bool alwaysStream, CancellationToken gone)
    {
        if (entry.Position <= _position)
            return true;
        if (!IsCall && _response.Started && entry.Previous > _position && _position > 0)
        {
            // A client that was too slow for what the journal keeps: it must not take the rest for everything.
            context.Abort();
            return false;
        }

        _position = entry.Position;
        _answered |= entry.Answers.Length > 0;
        if (!_response.Started)
        {
            if (!alwaysStream && entry.Answers.Length > 0)
            {
                if (await HttpAnswers.JsonAsync(context, entry.Payload).ConfigureAwait(false))
                    session.NoteRead(entry);
                return false;
            }

            Start(0);
        }

        _response.WriteEvent(Id(entry.Position), entry.Payload.Span);
        _idSent = true;
        if (await _response.FlushAsync(gone).ConfigureAwait(false))
            session.NoteRead(entry);
        return true;
    }

    private async ValueTask SendBroadcastsAsync(CancellationToken gone)
    {
        var unsent = 0;
        var before = reader.At.Position;
        for (; await session.Broadcasts.NextAsync(reader).ConfigureAwait(false) is var (step, isWanted, _); before = reader.At.Position)
        {
            if (step.Gap)
            {
                metrics.BroadcastGap();

                if (session.Broadcasts.Lets(LoggingLevel.Warning))
                    _response.WriteEvent(isWanted ? IdBefore(step.Broadcast!.Entry, before) : Id(_position), BroadcastGap.Notice);
            }

            if (isWanted)
            {
                metrics.Broadcast();
                _response.WriteEvent(Id(_position), step.Broadcast!.Entry.Payload.Span);
                _idSent = true;
            }

            if (step.Broadcast is { } broadcast && _marks!.IsDue(broadcast, isWanted) && McpHeaders.HasPriming(session.ProtocolVersion))
                _response.WritePriming(Id(_position));
            else if (!isWanted && !step.Gap)
                continue;
            if (++unsent % BroadcastsAtOnce == 0)
                await _response.FlushAsync(gone).ConfigureAwait(false);
        }

        if (unsent % BroadcastsAtOnce != 0)
            await _response.FlushAsync(gone).ConfigureAwait(false);
    }

    // For what comes before an entry: where the log was, or where the client is if it may have had more. The log may have been empty.
    private SseEventId IdBefore(BroadcastEntry entry, BroadcastPosition client) =>
        Id(_position) with { Broadcast = entry.Previous.Covers(client) ? entry.Previous : client };

    private SseEventId Id(long position) => new(reader.Stream!.Id, position, IsCall ? null : reader.At.Position);

    private async ValueTask StartAsync(CancellationToken gone)
    {
        Start(_position);
        await _response.FlushAsync(gone).ConfigureAwait(false);
    }

    private void Start(long cursor)
    {
        var id = Id(cursor);
        _response.Start(Greeting is null ? id.ToString() : null);
        if (Greeting is not null)
        {
            _response.WriteGreeting(id, Greeting);
            _idSent = true;
        }
        if (McpHeaders.HasPriming(session.ProtocolVersion))
        {
            _response.WritePriming(id);
            _idSent = true;
        }

        keepAlive.Add(reader);
    }
}
