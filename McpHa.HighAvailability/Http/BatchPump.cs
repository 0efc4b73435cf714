using System.Buffers;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;

namespace McpHa.HighAvailability.Http;

/// <summary>Carries the streams of a batch's calls to one HTTP response: one array when there is nothing but answers, events otherwise.</summary>
/// <remarks>Each event's id says how far every call has been sent. The revision that has batches has no priming events.</remarks>
internal sealed class BatchPump(HttpContext context, LiveSession session, IReadOnlyList<BatchCall> calls, KeepAliveClock keepAlive, SessionMetrics metrics)
{
    private readonly EventStreamResponse _response = new(context);
    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Answers a POST. <see langword="false"/>: nothing was sent, the session has moved.</summary>
    public Task<bool> AnswerAsync() => RunAsync(stream: false);

    /// <summary>Serves a GET. <see langword="false"/>: nothing was sent, the session has moved.</summary>
    public Task<bool> StreamAsync() => RunAsync(stream: true);

    private async Task<bool> RunAsync(bool stream)
    {
        // One call that has moved has moved with its session: the others must not be waited for.
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        try
        {
            if (stream)
                await StartAsync(over.Token).ConfigureAwait(false);
            var reads = calls.Where(call => call.Reader is not null).Select(call => ReadAsync(call, over)).ToList();
            var moved = (await Task.WhenAll(reads).ConfigureAwait(false)).Contains(false);
            if (context.RequestAborted.IsCancellationRequested)
                return true;
            if (moved && _response.Started)
                context.Abort(); // not a clean end: there is more, elsewhere
            else if (!moved && !_response.Started)
                await WriteArrayAsync().ConfigureAwait(false);
            return !moved || _response.Started;
        }
        finally
        {
            foreach (var call in calls)
            {
                if (call.Reader is not { } reader)
                    continue;
                keepAlive.Remove(reader);
                LiveSession.Detach(reader);
            }

            _gate.Dispose();
        }
    }

    // False: the session has moved, or the client has gone.
    private async Task<bool> ReadAsync(BatchCall call, CancellationTokenSource over)
    {
        var caughtUp = false;
        try
        {
            while (true)
            {
                var item = await call.Reader!.ReadAsync(over.Token).ConfigureAwait(false);
                switch (item.Kind)
                {
                    case StreamItemKind.Event:
                        if (await TakeAsync(call, item.Entry!, over.Token).ConfigureAwait(false))
                            return true;
                        break;
                    case StreamItemKind.CatchUp:
                        caughtUp = true;
                        await foreach (var entry in session.ReadJournalAsync(call.Cursor.Stream, call.Position, over.Token).ConfigureAwait(false))
                        {
                            metrics.Replayed();
                            if (await TakeAsync(call, entry, over.Token).ConfigureAwait(false))
                                return true;
                        }

                        break;
                    case StreamItemKind.Primed:
                        keepAlive.Add(call.Reader);
                        break;
                    case StreamItemKind.KeepAlive:
                        await KeepAliveAsync(over.Token).ConfigureAwait(false);
                        break;
                    case StreamItemKind.Moved:
                        await over.CancelAsync().ConfigureAwait(false);
                        return false;
                    case StreamItemKind.Completed:
                        // Cancelled by the client, which expects no answer; or answered so long ago that nobody knows what.
                        if (caughtUp && call.Position == 0)
                            await GiveUpAsync(call, over.Token).ConfigureAwait(false);
                        return true;
                }
            }
        }
        catch (StoreUnavailableException)
        {
            await over.CancelAsync().ConfigureAwait(false);
            throw;
        }
        catch (OperationCanceledException)
        {
            // The client has gone, or the session: its calls go on, and it may come back for the answers.
            if (!over.IsCancellationRequested)
                await over.CancelAsync().ConfigureAwait(false);
            return false;
        }
    }

    // True: that was the answer.
    private async ValueTask<bool> TakeAsync(BatchCall call, JournalEntry entry, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (entry.Position <= call.Position)
                return false;
            var answers = entry.Answers.Length > 0;
            if (answers && !_response.Started)
            {
                (call.Answer, call.Position) = (entry.Payload, entry.Position);
                return true;
            }

            if (!_response.Started)
                await StartAsync(cancellationToken).ConfigureAwait(false);
            call.Position = entry.Position;
            _response.WriteEvent(Cursor(), entry.Payload.Span);
            await _response.FlushAsync(cancellationToken).ConfigureAwait(false);
            return answers;
        }
        finally
        {
            _gate.Release();
        }
    }

    // The stream begins before everything that waited to be part of an array, so that what is lost now is sent again.
    private async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        var waiting = calls.Where(call => call.Answer is not null).Select(call => (Call: call, call.Position)).ToList();
        foreach (var (call, _) in waiting)
            call.Position = 0;
        _response.Start(Cursor());
        foreach (var (call, position) in waiting)
        {
            call.Position = position;
            _response.WriteEvent(Cursor(), call.Answer!.Value.Span);
        }

        foreach (var call in calls)
        {
            if (call.Reader is { } reader)
                keepAlive.Add(reader);
        }

        await _response.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask KeepAliveAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_response.Started)
                await StartAsync(cancellationToken).ConfigureAwait(false);
            _response.WriteKeepAlive();
            await _response.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask GiveUpAsync(BatchCall call, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var error = JsonRpc.Serialize(JsonRpc.Error(
                call.RequestId, JsonRpc.HistoryTrimmed, "This request was answered before and is not run again, but its answer is no longer kept. Send a new request with a new id."));
            if (!_response.Started)
            {
                call.Answer = error;
                return;
            }

            _response.WriteEvent(Cursor(), error);
            await _response.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    private Task WriteArrayAsync()
    {
        var answers = calls.Where(call => call.Answer is not null).Select(call => call.Answer!.Value).ToList();
        if (answers.Count == 0)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return Task.CompletedTask;
        }

        var array = new ArrayBufferWriter<byte>();
        for (var i = 0; i < answers.Count; i++)
        {
            array.Write(i == 0 ? "["u8 : ","u8);
            array.Write(answers[i].Span);
        }

        array.Write("]"u8);
        return HttpAnswers.JsonAsync(context, array.WrittenMemory);
    }

    private string Cursor() => BatchCursor.Write(calls.Select(call => call.Cursor));
}
