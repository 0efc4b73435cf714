using System.Buffers;
using System.Text;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

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
        var shared = Listens && relay.Shared.Takes(target.ReplicaId);
        using var call = relay.Client.Call(target, shared, lost);
        using var gone = clientGone.UnsafeRegister(static call => ((ReplicaCall)call!).Abort(), call);
        StartAttempt(target, resume);
        WriteRequest(call, target, resume);
        relay.Metrics.Attempts.Add(1);
        var outcome = await call.SendAsync(!resume && (!exchange.Body.IsEmpty || exchange.Method == HttpMethod.Post) ? exchange.Body : null);
        if (outcome is SendOutcome.NotHttp2 && relay.Shared.Refused(target.ReplicaId))
            return await AttemptAsync(target); // by HTTP/1.1
        if (outcome is not SendOutcome.Answered)
            return NotAnswered(target, outcome, lost);

        use.Heard();
        if (shared)
            relay.Shared.Answered(target.ReplicaId);
        TraceResponse(call);
        var owner = call.Header(HaHeaders.Owner);
        var sessionId = call.Header(RelayHeaders.SessionId);
        if (call.Status == StatusCodes.Status421MisdirectedRequest)
            return new RelayFailure(target, RelayFailureKind.NotOwner, owner);
        if (call.Status == StatusCodes.Status503ServiceUnavailable && call.Header(HaHeaders.Transient) is not null)
        {
            foreach (var replica in ClientExchange.ParseReplicas(call.Header(HaHeaders.Begun)))
                NoteBegun(replica);
            return new RelayFailure(target, RelayFailureKind.Unavailable);
        }

        route.Learned(target, owner, sessionId);
        TraceSession(call, target, owner, sessionId);
        _answering = (target, owner);
        _sessionId ??= sessionId;
        CountAsHeld(false);
        if (resume)
            relay.Metrics.Splices.Add(1);
        else if (_mayHaveRun)
            relay.Metrics.Reposts.Add(1);

        return call.IsEventStream ? await PumpAsync(call, target, use, resume, lost) : await AnswerAsync(call, target, resume, lost);
    }

    private RelayFailure NotAnswered(RelayTarget target, SendOutcome outcome, CancellationToken lost)
    {
        var broken = outcome is SendOutcome.Broken or SendOutcome.NotHttp2;
        var failure = new RelayFailure(
            target, lost.IsCancellationRequested ? RelayFailureKind.Lost : broken ? RelayFailureKind.Broken : RelayFailureKind.Refused);
        if (failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost)
            _mayHaveRun = true;
        if (outcome is SendOutcome.Refused)
            relay.Directory.ReportUnreachable(target.ReplicaId);
        else if (failure.Kind is RelayFailureKind.Refused or RelayFailureKind.Broken)
            relay.Directory.ReportSlow(target.ReplicaId);
        return failure;
    }

    private void WriteRequest(ReplicaCall call, RelayTarget target, bool resume)
    {
        var method = resume ? HttpMethod.Get : exchange.Method;
        call.Begin(method, exchange.PathAndQuery);
        RelayHeaders.CopyToReplica(context.Request.Headers, call, resume, exceptTraceParent: _attempt is not null);
        ForwardedClient.Write(context, call);
        call.AddHeader(HaHeaders.Relay, "1");
        if (relay.Directory.Find(target.ReplicaId) is { HopKey: { Length: > 0 } key })
            call.AddHeader(HaHeaders.Key, key);
        if (_attempt?.Id is { } traceParent)
            call.AddHeader(RelayHeaders.TraceParent, traceParent);
        if (method == HttpMethod.Post)
            call.AddHeader(HaHeaders.Exchange, ClientExchange.Of(context).Id.ToString());
        if (method == HttpMethod.Post && _begunAt.Count > 0)
            call.AddHeader(HaHeaders.Begun, string.Join(',', _begunAt));
        if (target.Hop)
            call.AddHeader(HaHeaders.Hop, target.ReplicaId);
        if (_silent is not null && _silent != target.ReplicaId)
            call.AddHeader(HaHeaders.Silent, _silent);
        if (exchange.Listens && _passed)
            call.AddHeader(HaHeaders.Again, "1");
        if (!resume)
            return;

        call.AddHeader("Accept", "text/event-stream");
        call.AddHeader(RelayHeaders.LastEventId, Encoding.UTF8.GetString(_cursor.Span));
        if (context.Request.Headers[RelayHeaders.SessionId].ToString() is { Length: > 0 } known)
            call.AddHeader(RelayHeaders.SessionId, known);
        else if (_sessionId is not null)
            call.AddHeader(RelayHeaders.SessionId, _sessionId);
    }

    private static RelayFailure BrokenOff(RelayTarget target, CancellationToken lost) =>
        new(target, lost.IsCancellationRequested ? RelayFailureKind.Lost : RelayFailureKind.Broken);

    /// <summary>An event stream: whole events, until it ends or breaks.</summary>
    private async ValueTask<RelayFailure?> PumpAsync(ReplicaCall call, RelayTarget target, ReplicaUse.Open use, bool resume, CancellationToken lost)
    {
        if (!client.IsStream)
        {
            client.StartStream(call);
            if (call.Header(HaHeaders.Cursor) is { } cursor)
            {
                SetCursor(Encoding.UTF8.GetBytes(cursor));
                if (exchange.ForRelay)
                    context.Response.Headers[HaHeaders.Cursor] = cursor;
            }
        }

        using var splitter = new SseEventSplitter(relay.Options.MaxMessageBytes);
        var first = resume;
        using var end = Ending.UnsafeRegister(static state => ((EndOfProcess)state!).End(), new EndOfProcess(this, call.Abort));
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

            var clientReads = true;
            var pending = call.ReadAsync(splitter.GetMemory());
            if ((pending.IsCompleted ? client.Unflushed > FlushAfterBytes : client.HasUnflushed) && !(clientReads = await client.FlushAsync()))
                call.Abort(); // the client has gone; the pending read still uses the buffer

            var read = await pending;
            if (read == ReplicaCall.Broken)
            {
                _mayHaveRun = true;
                if (EndsHere)
                    client.EndElsewhere(exchange.ForRelay);
                if (EndsHere || ((!clientReads || clientGone.IsCancellationRequested) && !lost.IsCancellationRequested))
                    return null;

                await client.FlushAsync(); // what has come is the client's now, however long the rest takes
                return BrokenOff(target, lost);
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
