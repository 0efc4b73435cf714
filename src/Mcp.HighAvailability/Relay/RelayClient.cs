using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using Mcp.HighAvailability.Relay.Upstream;
using Mcp.HighAvailability.Timing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.HighAvailability.Relay;

/// <summary>The client's side of one exchange: its response, as a whole or as a stream of events with keep-alives in between.</summary>
internal sealed class RelayClient(HttpContext context, RelayKeepAlive keepAlive)
{
    private static readonly ReadOnlyMemory<byte> Comment = ":\n\n"u8.ToArray();

    // Events and keep-alives are written by different threads, and a response takes one writer at a time.
    private SemaphoreSlim? _gate;
    private long _lastWrite;
    private bool _ended;
    private long _unflushed;
    private Due<RelayClient>? _due;

    /// <summary>The response is an event stream; it may have been sent in part.</summary>
    public bool IsStream => _gate is not null;

    /// <summary>Bytes of events that have not been flushed.</summary>
    public long Unflushed => _unflushed;

    /// <summary>There is something to flush: events, or the headers.</summary>
    public bool HasUnflushed => _unflushed > 0 || !context.Response.HasStarted;

    /// <summary>Answers with a whole body.</summary>
    public async ValueTask AnswerAsync(ReplicaCall response, int status, ReadOnlyMemory<byte> body)
    {
        context.Response.StatusCode = status;
        Relayed();
        response.CopyHeaders(context.Response.Headers);
        if (body.IsEmpty)
        {
            if (context.Response.StatusCode is >= 200 and not (StatusCodes.Status204NoContent or StatusCodes.Status304NotModified))
                context.Response.ContentLength = 0;
            return;
        }

        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body);
    }

    /// <summary>Answers with an error of the relay: as a whole, or as the last event of an open stream.</summary>
    public async ValueTask FailAsync(RelayError error, ReadOnlyMemory<byte> request)
    {
        if (!IsStream)
            await error.AnswerAsync(context.Response, request);
        else if (request.IsEmpty)
            context.Abort(); // a GET stream: nothing there that an error could answer
        else
            await WriteMessageAsync(error.ToJson(request.Span));
    }

    /// <summary>
    /// Answers that no replica serves the request now; the response has not begun. A relay is told that it may ask elsewhere, and where the request may have
    /// begun to run; a client is told that it may have run.
    /// </summary>
    public Task RefuseAsync(bool relay, ReadOnlyMemory<byte> request, IReadOnlyList<string> begunAt) =>
        (relay || begunAt.Count == 0 ? RelayError.NoReplica : RelayError.MayHaveRun).AnswerAsync(context.Response, request, transient: relay, begunAt);

    /// <summary>Begins an event stream with the replica's status and headers; they go out with the first flush.</summary>
    public void StartStream(ReplicaCall response)
    {
        context.Response.StatusCode = response.Status;
        Relayed();
        response.CopyHeaders(context.Response.Headers);
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        _gate = new SemaphoreSlim(1, 1);
        _lastWrite = Stopwatch.GetTimestamp();
        _due = keepAlive.Add(this);
    }

    /// <summary>Waits until no keep-alive is being written; then <see cref="Write"/> is allowed until <see cref="Exit"/>.</summary>
    public Task EnterAsync() => _gate!.WaitAsync(CancellationToken.None);

    public void Exit() => _gate!.Release();

    public void Write(ReadOnlySpan<byte> bytes)
    {
        context.Response.BodyWriter.Write(bytes);
        _unflushed += bytes.Length;
    }

    /// <summary>Sends what was written, waiting for a slow client. <see langword="false"/>: the client has gone.</summary>
    public async ValueTask<bool> FlushAsync()
    {
        await EnterAsync();
        try
        {
            return await FlushEnteredAsync();
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Sends a JSON-RPC message as an event.</summary>
    public async ValueTask WriteMessageAsync(ReadOnlyMemory<byte> json)
    {
        await EnterAsync();
        try
        {
            Write("event: message\n"u8);
            foreach (var range in json.Span.Split((byte)'\n'))
            {
                Write("data: "u8);
                Write(json.Span[range].TrimEnd((byte)'\r'));
                Write("\n"u8);
            }

            Write("\n"u8);
            await FlushEnteredAsync();
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Sends a comment if nothing was sent for that long. Called by the keep-alive's timer, never waits. Returns when it is due next.</summary>
    public TimeSpan KeepAlive(TimeSpan interval)
    {
        var silent = Stopwatch.GetElapsedTime(Volatile.Read(ref _lastWrite));
        if (silent < interval)
            return interval - silent;
        if (_gate!.Wait(0))
            _ = WriteCommentAsync();
        return interval;
    }

    /// <summary>Breaks the connection, so that the client cannot take what it has got for the end.</summary>
    public void Abort() => context.Abort();

    /// <summary>
    /// The stream ends here, and goes on where the client resumes it. To a client a clean end says just that; a relay would take it for the end
    /// of everything, and resumes after a break.
    /// </summary>
    public void EndElsewhere(bool forRelay)
    {
        if (forRelay)
            Abort();
    }

    /// <summary>No keep-alive is written any more once this has completed.</summary>
    public async ValueTask EndAsync()
    {
        if (_gate is null)
            return;

        if (_due is not null)
            keepAlive.Remove(_due);
        await EnterAsync();
        _ended = true;
        Exit();
    }

    // Marks answers of this process itself, which are treated differently for browsers.
    private void Relayed()
    {
        if (context.Request.Headers.Origin.Count > 0)
            context.Features.Set(RelayedAnswer.Mark);
    }

    private async ValueTask<bool> FlushEnteredAsync()
    {
        try
        {
            // A flush of nothing is no sign of life: after a splice the next keep-alive would come late, perhaps too late for what is in front.
            var sends = HasUnflushed;
            _unflushed = 0;
            var result = await context.Response.BodyWriter.FlushAsync();
            if (sends)
                Volatile.Write(ref _lastWrite, Stopwatch.GetTimestamp());
            return !result.IsCompleted;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return false; // the client has gone
        }
    }

    private async Task WriteCommentAsync()
    {
        try
        {
            if (_ended)
                return;

            Write(Comment.Span);
            await FlushEnteredAsync();
        }
        finally
        {
            Exit();
        }
    }
}
