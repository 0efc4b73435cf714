using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Cluster;

namespace Mcp.HighAvailability.Relay;

/// <content>One attempt at one replica. Its outcome is a value: <see langword="null"/> when the exchange is over, otherwise the failure.</content>
internal sealed partial class RelayRun
{
    // Beyond this, events go out although the replica has more to say at once.
    private const int FlushAfterBytes = 32 * 1024;

    private readonly ArrayBufferWriter<byte> _cursorBuffer = new(64);
    private ReadOnlyMemory<byte> _cursor; // id of the last event that was passed on, or where the stream began
    private readonly RelayProgress? _progressSteps = exchange.MayRepeat is null ? null : new();
    private bool _passed; // the client has had an event
    private bool _passedId; // the client itself has had an event with an id
    private string? _sessionId; // as the response to initialize named it, or the first event of HTTP+SSE
    private (RelayTarget Target, string? Owner) _answering;

    private async ValueTask<RelayFailure?> AttemptAsync(RelayTarget target)
    {
        var lost = relay.Directory.LostToken(target.ReplicaId);
        if (lost.IsCancellationRequested)
            return new RelayFailure(target, RelayFailureKind.Refused); // nothing was sent

        using var use = relay.Directory.Use(target.ReplicaId);
        var resume = CanResume;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(clientGone, lost);
        using var request = CreateRequest(target, resume);
        var shared = Listens && relay.Shared.TryUse(request, target.ReplicaId);
        relay.Metrics.Attempts.Add(1);
        StartAttempt(target, request);
        HttpResponseMessage response;
        try
        {
            response = await relay.Invoker.SendAsync(request, over.Token);
        }
        catch (HttpRequestException exception) when (shared && relay.Shared.IsRefused(target.ReplicaId, exception))
        {
            return await AttemptAsync(target); // by HTTP/1.1
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException or SocketException)
        {
            var failure = new RelayFailure(target, KindOf(exception, lost));
            if (failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost)
                _mayHaveRun = true;
            if (PeerProbe.IsRefusal(exception))
                relay.Directory.ReportUnreachable(target.ReplicaId);
            else if (failure.Kind is RelayFailureKind.Refused or RelayFailureKind.Broken)
                relay.Directory.ReportSlow(target.ReplicaId);
            return failure;
        }

        use.Heard();
        if (shared)
            relay.Shared.Answered(target.ReplicaId);
        using (response)
        {
            TraceResponse(response);
            var owner = RelayHeaders.Get(response, HaHeaders.Owner);
            var sessionId = RelayHeaders.Get(response, RelayHeaders.SessionId);
            if (response.StatusCode == HttpStatusCode.MisdirectedRequest)
                return new RelayFailure(target, RelayFailureKind.NotOwner, owner);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable && RelayHeaders.Get(response, HaHeaders.Transient) is not null)
            {
                foreach (var replica in ClientExchange.ParseReplicas(RelayHeaders.Get(response, HaHeaders.Begun)))
                    NoteBegun(replica);
                return new RelayFailure(target, RelayFailureKind.Unavailable);
            }

            route.Learned(target, owner, sessionId);
            TraceSession(response, target, owner, sessionId);
            _answering = (target, owner);
            _sessionId ??= sessionId;
            CountAsHeld(false);
            if (resume)
                relay.Metrics.Splices.Add(1);
            else if (_mayHaveRun)
                relay.Metrics.Reposts.Add(1);

            return IsEventStream(response)
                ? await PumpAsync(response, target, use, resume, lost, over)
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
        if (request.Method == HttpMethod.Post)
            headers.TryAddWithoutValidation(HaHeaders.Exchange, ClientExchange.Of(context).Id.ToString());
        if (request.Method == HttpMethod.Post && _begunAt.Count > 0)
            headers.TryAddWithoutValidation(HaHeaders.Begun, string.Join(',', _begunAt));
        if (target.Hop)
            headers.TryAddWithoutValidation(HaHeaders.Hop, target.ReplicaId);

        if (_silent is not null && _silent != target.ReplicaId)
            headers.TryAddWithoutValidation(HaHeaders.Silent, _silent);

        if (exchange.Listens && _passed)
            headers.TryAddWithoutValidation(HaHeaders.Again, "1");

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
        // A connection that was reset before the client had a look at it: nothing was sent.
        SocketException => RelayFailureKind.Refused,
        _ when IsConnectTimeout(exception) => RelayFailureKind.Refused,
        _ => RelayFailureKind.Broken,
    };

    // The only time-out there is: the one for connecting.
    private static bool IsConnectTimeout(Exception exception) => exception is OperationCanceledException { InnerException: TimeoutException };

    /// <summary>An event stream: whole events, until it ends or breaks.</summary>
    private async ValueTask<RelayFailure?> PumpAsync(
        HttpResponseMessage response, RelayTarget target, ReplicaUse.Open use, bool resume, CancellationToken lost, CancellationTokenSource over)
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
        using var end = Ending.UnsafeRegister(static state => ((EndOfProcess)state!).Cancel(), new EndOfProcess(this, over));
        while (true)
        {
            // Also right after the event that makes it possible: the registration came too early for that one.
            Interlocked.MemoryBarrier();
            if (EndsHere)
            {
                await client.FlushAsync();
                client.EndElsewhere(exchange.ForRelay);
                return null;
            }

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
                if (EndsHere)
                    client.EndElsewhere(exchange.ForRelay);
                if (EndsHere || (over.IsCancellationRequested && !lost.IsCancellationRequested))
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

            use.Heard();
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
                NoteSession(whole);
                if (!whole.Id.IsEmpty)
                    SetCursor(whole.Id.Span);
                if (skip)
                    continue;

                if (_progressSteps?.Advances(whole) == false)
                    continue; // a second run reports again what the first one has reported

                client.Write(whole.Bytes.Span);
                _passed = true;
                _progress = true;
                if (!whole.Id.IsEmpty)
                    Volatile.Write(ref _passedId, true);
            }

            return first;
        }
        finally
        {
            client.Exit();
        }
    }

    // A client of HTTP+SSE learns of its session by the first event, and so does whoever has to go on with the stream.
    private void NoteSession(SseEvent whole)
    {
        if (_sessionId is not null || exchange.Method != HttpMethod.Get || LegacyEndpoint.SessionIdOf(whole.Bytes.Span) is not { } sessionId)
            return;
        _sessionId = sessionId;
        route.Learned(_answering.Target, _answering.Owner, sessionId);
    }

    // A replica that hands its sessions over ends its GET streams; they go on at the next owner. So does whatever only listens.
    private bool EndsForGood(RelayTarget target) =>
        !exchange.Listens && (exchange.Method != HttpMethod.Get || _cursor.IsEmpty) || relay.Directory.Find(target.ReplicaId) is { Draining: false };

    private void SetCursor(ReadOnlySpan<byte> id)
    {
        _cursorBuffer.ResetWrittenCount();
        _cursorBuffer.Write(id);
        _cursor = _cursorBuffer.WrittenMemory;
    }
}
