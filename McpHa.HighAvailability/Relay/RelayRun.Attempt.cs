using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using McpHa.HighAvailability.Diagnostics;

namespace McpHa.HighAvailability.Relay;

/// <content>One attempt at one replica. Its outcome is a value: <see langword="null"/> when the exchange is over, otherwise the failure.</content>
internal sealed partial class RelayRun
{
    // Beyond this, events go out although the replica has more to say at once.
    private const int FlushAfterBytes = 32 * 1024;

    private readonly ArrayBufferWriter<byte> _cursorBuffer = new(64);
    private ReadOnlyMemory<byte> _cursor; // id of the last event that was passed on, or where the stream began
    private string? _sessionId; // as the response to initialize named it

    private async ValueTask<RelayFailure?> AttemptAsync(RelayTarget target)
    {
        var lost = relay.Directory.LostToken(target.ReplicaId);
        if (lost.IsCancellationRequested)
            return new RelayFailure(target, RelayFailureKind.Refused); // nothing was sent

        var resume = CanResume;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(clientGone, lost);
        using var request = CreateRequest(target, resume);
        relay.Metrics.Attempts.Add(1);
        HttpResponseMessage response;
        using (var span = StartSpan(target, request))
        {
            try
            {
                response = await relay.Invoker.SendAsync(request, over.Token);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                var failure = new RelayFailure(target, KindOf(exception, lost));
                if (failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost)
                    _mayHaveRun = true;
                if (IsRefusal(exception))
                    relay.Directory.ReportUnreachable(target.ReplicaId);
                span?.SetStatus(ActivityStatusCode.Error, failure.Kind.ToString());
                return failure;
            }
        }

        using (response)
        {
            var owner = RelayHeaders.Get(response, HaHeaders.Owner);
            var sessionId = RelayHeaders.Get(response, RelayHeaders.SessionId);
            if (response.StatusCode == HttpStatusCode.MisdirectedRequest)
                return new RelayFailure(target, RelayFailureKind.NotOwner, owner);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable && RelayHeaders.Get(response, HaHeaders.Transient) is not null)
                return new RelayFailure(target, RelayFailureKind.Unavailable);

            route.Learned(target, owner, sessionId);
            _sessionId ??= sessionId;
            CountAsHeld(false);
            if (resume)
                relay.Metrics.Splices.Add(1);
            else if (_mayHaveRun)
                relay.Metrics.Reposts.Add(1);

            return IsEventStream(response)
                ? await PumpAsync(response, target, resume, lost, over)
                : await AnswerAsync(response, target, resume, lost, over.Token);
        }
    }

    private HttpRequestMessage CreateRequest(RelayTarget target, bool resume)
    {
        var request = new HttpRequestMessage(resume ? HttpMethod.Get : exchange.Method, relay.Addresses.Of(target.Address, exchange.PathAndQuery));
        if (!resume && (!exchange.Body.IsEmpty || exchange.Method == HttpMethod.Post))
            request.Content = new ReadOnlyMemoryContent(exchange.Body);

        RelayHeaders.CopyToReplica(context.Request.Headers, request, resume);
        var headers = request.Headers;
        headers.TryAddWithoutValidation(HaHeaders.Relay, "1");
        if (target.Hop)
            headers.TryAddWithoutValidation(HaHeaders.Hop, target.ReplicaId);

        if (resume)
        {
            headers.TryAddWithoutValidation("Accept", "text/event-stream");
            headers.TryAddWithoutValidation(RelayHeaders.LastEventId, Encoding.UTF8.GetString(_cursor.Span));
            if (context.Request.Headers[RelayHeaders.SessionId].ToString() is { Length: > 0 } known)
                headers.TryAddWithoutValidation(RelayHeaders.SessionId, known);
            else if (_sessionId is not null)
                headers.TryAddWithoutValidation(RelayHeaders.SessionId, _sessionId);
        }

        return request;
    }

    // Up to the response headers, never around an open stream.
    private static Activity? StartSpan(RelayTarget target, HttpRequestMessage request)
    {
        var span = HighAvailabilityDiagnostics.Source.StartActivity("relay attempt", ActivityKind.Client);
        if (span is null)
            return null; // the client's own traceparent has been copied

        span.SetTag("mcp.ha.replica.id", target.ReplicaId);
        request.Headers.Remove(RelayHeaders.TraceParent);
        request.Headers.TryAddWithoutValidation(RelayHeaders.TraceParent, span.Id);
        return span;
    }

    private static bool IsEventStream(HttpResponseMessage response) =>
        response.IsSuccessStatusCode
        && response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var type)
        && type.ToString().StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase);

    private static RelayFailureKind KindOf(Exception exception, CancellationToken lost) => exception switch
    {
        _ when lost.IsCancellationRequested => RelayFailureKind.Lost,
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        } => RelayFailureKind.Refused,
        // The only time-out there is: the one for connecting.
        OperationCanceledException { InnerException: TimeoutException } => RelayFailureKind.Refused,
        _ => RelayFailureKind.Broken,
    };

    // Only what the other side said: a connection that took too long, or that failed for lack of something here, is no sign of death.
    private static bool IsRefusal(Exception exception) => exception.InnerException is SocketException
    {
        SocketErrorCode: SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.HostDown or SocketError.NetworkUnreachable,
    };

    /// <summary>Everything but an event stream: the client gets it when it has arrived whole.</summary>
    private async ValueTask<RelayFailure?> AnswerAsync(
        HttpResponseMessage response, RelayTarget target, bool resume, CancellationToken lost, CancellationToken over)
    {
        var length = response.Content.Headers.ContentLength;
        if (length > relay.Options.MaxMessageBytes)
            throw TooLarge();

        var buffer = length == 0 ? [] : ArrayPool<byte>.Shared.Rent((int)(length ?? 4096));
        try
        {
            var total = 0;
            try
            {
                var stream = await response.Content.ReadAsStreamAsync(over);
                while (total != length)
                {
                    if (total == buffer.Length)
                        buffer = Larger(buffer);

                    var read = await stream.ReadAsync(buffer.AsMemory(total), over);
                    if (read == 0)
                        break;

                    total += read;
                    if (total > relay.Options.MaxMessageBytes)
                        throw TooLarge();
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                _mayHaveRun = true;
                return new RelayFailure(target, KindOf(exception, lost) is RelayFailureKind.Lost ? RelayFailureKind.Lost : RelayFailureKind.Broken);
            }

            await AnswerAsync(response, buffer.AsMemory(0, total), resume);
            return null;
        }
        finally
        {
            if (buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask AnswerAsync(HttpResponseMessage response, ReadOnlyMemory<byte> body, bool resume)
    {
        if (!client.IsStream)
        {
            // The lost owner had ended the session, and only its answer is missing.
            if (response.StatusCode == HttpStatusCode.NotFound && exchange.Method == HttpMethod.Delete && _mayHaveRun)
                response.StatusCode = HttpStatusCode.OK;

            await client.AnswerAsync(response, body);
        }
        else if (!resume && exchange.Method == HttpMethod.Post && IsJson(response) && !body.IsEmpty)
        {
            // Sent again into an open stream: the answer, also if it is an error, becomes its last event.
            await client.WriteMessageAsync(body);
        }
        else if (!response.IsSuccessStatusCode)
        {
            client.Abort(); // no clean end: the client must not take what it has got for everything
        }
    }

    /// <summary>An event stream: whole events, until it ends or breaks.</summary>
    private async ValueTask<RelayFailure?> PumpAsync(
        HttpResponseMessage response, RelayTarget target, bool resume, CancellationToken lost, CancellationTokenSource over)
    {
        if (!client.IsStream)
        {
            client.StartStream(response);
            if (RelayHeaders.Get(response, HaHeaders.Cursor) is { } cursor)
            {
                SetCursor(Encoding.UTF8.GetBytes(cursor));
                if (exchange.ForRelay)
                    context.Response.Headers[HaHeaders.Cursor] = cursor;
            }
        }

        using var splitter = new SseEventSplitter(relay.Options.MaxMessageBytes);
        var stream = await response.Content.ReadAsStreamAsync(CancellationToken.None);
        var first = resume;
        while (true)
        {
            int read;
            var pending = stream.ReadAsync(splitter.GetMemory(), over.Token);
            if ((pending.IsCompleted ? client.Unflushed > FlushAfterBytes : client.HasUnflushed) && !await client.FlushAsync())
                over.Cancel(); // the client has gone; the pending read still uses the buffer

            try
            {
                read = await pending;
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                _mayHaveRun = true;
                if (over.IsCancellationRequested && !lost.IsCancellationRequested)
                    return null;

                await client.FlushAsync(); // what has come is the client's now, however long the rest takes
                return new RelayFailure(target, KindOf(exception, lost) is RelayFailureKind.Lost ? RelayFailureKind.Lost : RelayFailureKind.Broken);
            }

            if (read == 0 && EndsForGood(target))
                return null;

            if (read == 0)
            {
                await client.FlushAsync();
                return new RelayFailure(target, RelayFailureKind.Broken);
            }

            splitter.Advance(read);
            first = await ForwardAsync(splitter, first);
        }
    }

    private async ValueTask<bool> ForwardAsync(SseEventSplitter splitter, bool first)
    {
        await client.EnterAsync();
        try
        {
            while (splitter.TryRead(out var whole))
            {
                if (whole.IsComment)
                    continue;

                // A resumed stream begins with an id and nothing else; the client's stream has had its beginning.
                var skip = first && !whole.HasData && !whole.Id.IsEmpty;
                first = false;
                if (!whole.Id.IsEmpty)
                    SetCursor(whole.Id.Span);
                if (skip)
                    continue;

                client.Write(whole.Bytes.Span);
                _progress = true;
            }

            return first;
        }
        finally
        {
            client.Exit();
        }
    }

    // A replica that hands its sessions over ends its GET streams; they go on at the next owner.
    private bool EndsForGood(RelayTarget target) =>
        exchange.Method != HttpMethod.Get || _cursor.IsEmpty || relay.Directory.Find(target.ReplicaId) is { Draining: false };

    private void SetCursor(ReadOnlySpan<byte> id)
    {
        _cursorBuffer.ResetWrittenCount();
        _cursorBuffer.Write(id);
        _cursor = _cursorBuffer.WrittenMemory;
    }

    private static bool IsJson(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var type)
        && type.ToString().StartsWith("application/json", StringComparison.OrdinalIgnoreCase);

    private static byte[] Larger(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }

    private InvalidDataException TooLarge() => new($"it is larger than {relay.Options.MaxMessageBytes} bytes.");
}
