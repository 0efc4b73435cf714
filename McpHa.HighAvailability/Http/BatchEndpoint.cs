using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Http;

/// <summary>JSON-RPC batches of revision 2025-03-26: requests, notifications and answers in one POST.</summary>
internal sealed class BatchEndpoint(SessionGate sessions, SessionLimits limits, KeepAliveClock keepAlive, SessionMetrics metrics)
{
    public async Task PostAsync(HttpContext context, byte[] body)
    {
        var version = context.Request.Headers[McpHeaders.ProtocolVersion].ToString();
        var sessionId = context.Request.Headers[McpHeaders.SessionId].ToString();
        if (version.Length > 0 && version != Batch.Revision)
            await RefuseAsync(context, $"revision {(McpHeaders.IsKnown(version) ? version : "that the header names")} has no batches").ConfigureAwait(false);
        else if (sessionId.Length == 0)
            await RefuseAsync(context, "a batch needs a session").ConfigureAwait(false);
        else if (Batch.Read(body, out var messages) is { } problem)
            await RefuseAsync(context, problem).ConfigureAwait(false);
        else
            await sessions.ServeAsync(context, sessionId, body, default, session => ServeAsync(context, session, messages)).ConfigureAwait(false);
    }

    /// <summary>Goes on with the stream that answers a batch. <see langword="false"/>: the session has moved before a byte was sent.</summary>
    public async Task<bool> ResumeAsync(HttpContext context, LiveSession session, IReadOnlyList<SseEventId> after)
    {
        if (await limits.RefuseStreamAsync(context, session).ConfigureAwait(false))
            return true;
        List<BatchCall> calls = [];
        var served = false;
        try
        {
            foreach (var id in after)
            {
                switch (await session.ResumeAsync(id, McpEndpoint.Authenticated(context), context.RequestAborted).ConfigureAwait(false))
                {
                    case Resumption.Reading reading:
                        calls.Add(new(id.Stream, reading.Reader) { Position = id.Position });
                        break;
                    case Resumption.NothingLeft:
                        calls.Add(new(id.Stream, null) { Position = id.Position });
                        break;
                    case Resumption.Moved:
                        return false;
                    default:
                        await HttpAnswers.BadRequestAsync(
                            context, "The Last-Event-ID does not belong to this session, or its events are no longer kept. Send the batch again.", JsonRpc.HistoryTrimmed).ConfigureAwait(false);
                        return true;
                }
            }

            served = true;
        }
        finally
        {
            if (!served)
                Detach(calls);
        }

        if (calls.Any(call => call.Reader is not null))
            return await new BatchPump(context, session, calls, keepAlive, metrics).StreamAsync().ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }

    private async Task<bool> ServeAsync(HttpContext context, LiveSession session, List<(JsonRpcMessage Message, ReadOnlyMemory<byte> Body)> messages)
    {
        if (session.ProtocolVersion != Batch.Revision)
        {
            await RefuseAsync(context, $"revision {session.ProtocolVersion}, which this session speaks, has no batches").ConfigureAwait(false);
            return true;
        }

        if (await limits.RefuseBatchAsync(context, session, messages).ConfigureAwait(false))
            return true;
        List<BatchCall> calls = [];
        var served = false;
        try
        {
            foreach (var (message, body) in messages)
            {
                if (message is not JsonRpcRequest request)
                {
                    if (!await session.AcceptAsync(message, body).ConfigureAwait(false))
                        return false;
                    continue;
                }

                if (await session.AdmitAsync(request, body, McpEndpoint.Authenticated(context), joins: calls.Count > 0).ConfigureAwait(false) is not { } reader)
                    return false;
                calls.Add(new(reader.Stream!.Id, reader) { RequestId = request.Id });
            }

            served = true;
        }
        finally
        {
            if (!served)
                Detach(calls);
        }

        if (calls.Count > 0)
            return await new BatchPump(context, session, calls, keepAlive, metrics).AnswerAsync().ConfigureAwait(false);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return true;
    }

    private static void Detach(List<BatchCall> calls)
    {
        foreach (var call in calls)
        {
            if (call.Reader is { } reader)
                LiveSession.Detach(reader);
        }
    }

    private static Task RefuseAsync(HttpContext context, string reason) => HttpAnswers.BadRequestAsync(
        context, $"This batch cannot be served: {reason}. Only sessions of revision {Batch.Revision} take batches; otherwise send one JSON-RPC message per POST.", (int)McpErrorCode.InvalidRequest);
}

/// <summary>A request of a batch, and how far it has been answered.</summary>
/// <param name="stream">The stream that answers it.</param>
/// <param name="reader">What reads that; <see langword="null"/> when the client has all of it.</param>
internal sealed class BatchCall(string stream, StreamSubscription? reader)
{
    public StreamSubscription? Reader => reader;

    public RequestId RequestId { get; init; }

    public long Position { get; set; }

    public SseEventId Cursor => new(stream, Position);

    /// <summary>The answer, while it waits for those of the others.</summary>
    public ReadOnlyMemory<byte>? Answer { get; set; }
}
