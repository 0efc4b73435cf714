using System.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay.Upstream;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>Runs one exchange: does what its <see cref="RelayMachine"/> decides, and tells it what came of that.</summary>
internal sealed class RelayRun(
    Relay relay, RelayClient client, HttpContext context, RelayExchange exchange, IRelayRoute route, CancellationToken clientGone)
{
    // Beyond this, events go out although the replica has more to say at once.
    private const int FlushAfterBytes = 32 * 1024;

    private readonly RelayMachine _machine = new(exchange, context.Request.Headers[RelayHeaders.LastEventId], relay.Options.MaxReplicaLosses);
    private readonly RelayTrace _trace = new(relay, context, exchange);
    private readonly CancellationToken _ending = relay.Ending(exchange.Listens || exchange.Method == HttpMethod.Get);
    private readonly long _started = Stopwatch.GetTimestamp();
    private bool _countedAsHeld;
    private RelayError? _error;
    private bool _goesOn;

    private TimeSpan Now => Stopwatch.GetElapsedTime(_started);

    /// <summary>Runs it to its end. <see langword="false"/>: it has to be served here, and nothing was answered.</summary>
    public async Task<bool> RunAsync()
    {
        try
        {
            var step = _machine.Begin();
            while (!step.IsLast)
            {
                var target = await AskAsync(step);
                NoteEnds();
                step = _machine.Chosen(target, Now);
                if (!step.IsLast)
                    step = await AttemptAsync(target!, resumes: step.Action is RelayAction.Resume);
                Note(step);
            }

            _goesOn = step.Action is RelayAction.ServeHere || step.Action is RelayAction.Refuse && exchange.ForRelay;
            await EndAsync(step);
            return step.Action is not RelayAction.ServeHere;
        }
        catch (InvalidDataException exception)
        {
            RelayReport.TooLarge(relay, exception.Message);
            await client.FailAsync(_error = RelayError.AnswerTooLarge, exchange.Body);
            return true;
        }
        finally
        {
            _trace.Finish(_error, _goesOn);
            await client.EndAsync();
            CountAsHeld(false);
        }
    }

    private async ValueTask<RelayTarget?> AskAsync(RelayStep step)
    {
        // Neither timer nor link unless the route really waits.
        using var hold = new CancellationTokenSource();
        var pending = step.Failure is null ? route.NextAsync(null, hold.Token) : AskAgainAsync(step, hold.Token);
        if (pending.IsCompletedSuccessfully)
            return pending.Result;

        CountAsHeld(true);
        using var end = _ending.UnsafeRegister(static state => ((Interruption)state!).Run(), new Interruption(_machine, hold.Cancel));
        using var link = clientGone.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), hold);
        var left = _machine.HoldUntil(Now) - Now;
        hold.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        try
        {
            return await pending;
        }
        catch (OperationCanceledException) when (hold.IsCancellationRequested)
        {
            return null;
        }
    }

    private async ValueTask<RelayTarget?> AskAgainAsync(RelayStep step, CancellationToken holdOver)
    {
        if (step.Delay > TimeSpan.Zero)
            await Task.Delay(step.Delay, holdOver);
        var target = await route.NextAsync(step.Failure, holdOver);
        if (target is not null && _machine.PauseBefore(target) is { Ticks: > 0 } pause)
            await Task.Delay(pause, holdOver);
        return target;
    }

    private async ValueTask<RelayStep> AttemptAsync(RelayTarget target, bool resumes)
    {
        var lost = relay.Directory.LostToken(target.ReplicaId);
        if (lost.IsCancellationRequested)
        {
            NoteEnds();
            return _machine.NotAnswered(RelayFailureKind.Refused, Now);
        }

        using var use = relay.Directory.Use(target.ReplicaId);
        var shared = _machine.Listens && relay.Shared.Takes(target.ReplicaId);
        using var call = relay.Client.Call(target, shared, lost);
        using var gone = clientGone.UnsafeRegister(static call => ((ReplicaCall)call!).Abort(), call);
        _trace.Begin(target, resumes ? HttpMethod.Get : exchange.Method);
        RelayRequest.Write(call, context, exchange, target, relay.Directory.Find(target.ReplicaId)?.HopKey, _machine, resumes, _trace.TraceParent);
        relay.Metrics.Attempts.Add(1);
        var outcome = await call.SendAsync(!resumes && (!exchange.Body.IsEmpty || exchange.Method == HttpMethod.Post) ? exchange.Body : null);
        if (outcome is SendOutcome.NotHttp2 && relay.Shared.Refused(target.ReplicaId))
            return await AttemptAsync(target, resumes); // by HTTP/1.1
        if (outcome is not SendOutcome.Answered)
            return NotAnswered(target, outcome, lost.IsCancellationRequested);

        use.MarkReceived();
        if (shared)
            relay.Shared.Answered(target.ReplicaId);
        _trace.Answered(call.Status, _machine.Listens);
        var mayHaveRun = _machine.MayHaveRun;
        var head = RelayRequest.HeadOf(call);
        NoteEnds();
        var step = _machine.Answered(head, resumes, Now);
        if (step.Action is not (RelayAction.ReadWhole or RelayAction.StartStream or RelayAction.ReadEvents))
            return step;

        route.Learned(target, head.Owner, head.SessionId);
        _trace.Session(call, target, head.Owner, head.SessionId);
        CountAsHeld(false);
        if (resumes)
            relay.Metrics.Splices.Add(1);
        else if (mayHaveRun)
            relay.Metrics.Reposts.Add(1);
        if (step.Action is RelayAction.ReadWhole)
            return await ReadWholeAsync(call, resumes, lost);
        if (step.Action is RelayAction.StartStream)
            StartStream(call, head.Cursor);
        return await ReadEventsAsync(call, target, head.Owner, use, lost);
    }

    private RelayStep NotAnswered(RelayTarget target, SendOutcome outcome, bool lost)
    {
        if (outcome is SendOutcome.Refused)
            relay.Directory.ReportUnreachable(target.ReplicaId);
        else if (!lost)
            relay.Directory.ReportSlow(target.ReplicaId);
        var broke = outcome is SendOutcome.Broken or SendOutcome.NotHttp2;
        NoteEnds();
        return _machine.NotAnswered(!broke ? RelayFailureKind.Refused : lost ? RelayFailureKind.Lost : RelayFailureKind.Broken, Now, lost);
    }

    private async ValueTask<RelayStep> ReadWholeAsync(ReplicaCall call, bool resumes, CancellationToken lost)
    {
        var (reading, answer) = await WholeAnswer.ReadAsync(call, relay.Options.MaxMessageBytes);
        using (answer)
        {
            if (reading is WholeReading.Broke)
            {
                NoteEnds();
                return _machine.Broke(lost.IsCancellationRequested, Now);
            }

            if (reading is WholeReading.TooLarge)
                throw new InvalidDataException($"It is larger than {relay.Options.MaxMessageBytes} bytes.");
            var step = _machine.Whole(call.Status, call.IsJson && !answer.Body.IsEmpty, resumes);
            if (step.Action is RelayAction.Answer)
                await client.AnswerAsync(call, step.Status, answer.Body);
            else if (step.Action is RelayAction.AnswerInStream)
                await client.WriteMessageAsync(answer.Body);
            return step;
        }
    }

    private void StartStream(ReplicaCall call, string? cursor)
    {
        client.StartStream(call);
        if (exchange.ForRelay && cursor is not null)
            context.Response.Headers[HaHeaders.Cursor] = cursor;
    }

    // Reads events until the stream ends or breaks.
    private async ValueTask<RelayStep> ReadEventsAsync(ReplicaCall call, RelayTarget target, string? owner, ReplicaUse.Open use, CancellationToken lost)
    {
        using var splitter = new SseEventSplitter(relay.Options.MaxMessageBytes);
        using var end = _ending.UnsafeRegister(static state => ((Interruption)state!).Run(), new Interruption(_machine, call.Abort));
        while (true)
        {
            // Also right after the event that makes it possible: the registration came too early for that one.
            Interlocked.MemoryBarrier();
            NoteEnds();
            if (_machine.Next() is { IsLast: true } last)
                return await FlushedAsync(last);

            var reads = !_machine.Listens || await WaitAsync(call, splitter);
            var pending = call.ReadAsync(splitter.GetMemory());
            if ((pending.IsCompleted ? client.Unflushed > FlushAfterBytes : client.HasUnflushed) && !(reads &= await client.FlushAsync()))
                call.Abort(); // the client has gone; the pending read still uses the buffer

            var read = await pending;
            NoteEnds();
            _machine.ClientGone |= !reads;
            switch (read)
            {
                case ReplicaCall.Broken:
                    return await FlushedAsync(_machine.Broke(lost.IsCancellationRequested, Now));
                case 0:
                    return await FlushedAsync(_machine.StreamEnded(relay.Directory.Find(target.ReplicaId) is { Draining: false }, Now));
                default:
                    use.MarkReceived();
                    splitter.Advance(read);
                    await ForwardAsync(splitter, target, owner);
                    break;
            }
        }
    }

    // A stream that only listens is silent most of the time and holds no buffers then.
    // False: the client has gone.
    private async ValueTask<bool> WaitAsync(ReplicaCall call, SseEventSplitter splitter)
    {
        var reads = true;
        var pending = call.WaitAsync();
        if (!pending.IsCompleted)
        {
            splitter.Release();
            if (client.HasUnflushed && !(reads = await client.FlushAsync()))
                call.Abort();
        }

        await pending;
        return reads;
    }

    // What has come is the client's now, however long the rest takes.
    private async ValueTask<RelayStep> FlushedAsync(RelayStep step)
    {
        if (!_machine.ClientGone)
            await client.FlushAsync();
        return step;
    }

    private async ValueTask ForwardAsync(SseEventSplitter splitter, RelayTarget target, string? owner)
    {
        await client.EnterAsync();
        try
        {
            while (splitter.TryRead(out var whole))
            {
                var verdict = _machine.Event(whole);
                if (verdict.NewSession is { } session)
                    route.Learned(target, owner, session);
                if (verdict.Passes)
                    client.Write(whole.Bytes.Span);
            }
        }
        finally
        {
            client.Exit();
        }
    }

    // Whole answers were already sent.
    private async ValueTask EndAsync(RelayStep step)
    {
        switch (step.Action)
        {
            case RelayAction.Fail:
                _error = step.Error!;
                RelayReport.Ended(relay, exchange, _error, _machine.BegunAt);
                await client.FailAsync(_error, exchange.Body);
                break;
            case RelayAction.Refuse:
                _error = exchange.ForRelay ? null : _machine.BegunAt.Count == 0 ? RelayError.NoReplica : RelayError.MayHaveRun;
                if (step.IsGivenUp)
                    RelayReport.GivenUp(relay, exchange, _error);
                await client.RefuseAsync(exchange.ForRelay, exchange.Body, _machine.BegunAt);
                break;
            case RelayAction.EndElsewhere:
                client.EndElsewhere(exchange.ForRelay);
                break;
            case RelayAction.Abort:
                if (step.IsGivenUp)
                    RelayReport.GivenUp(relay, exchange, _error);
                client.Abort();
                break;
        }
    }

    private void Note(RelayStep step)
    {
        _trace.End(step.Failure);
        if (step.Failure is { } failure)
        {
            RelayReport.Failed(relay, failure);
            CountAsHeld(true);
        }
    }

    // The client may have gone, or this process may be about to end: the machine has to know before its next input.
    private void NoteEnds()
    {
        _machine.ClientGone |= clientGone.IsCancellationRequested;
        _machine.Ending = _ending.IsCancellationRequested;
    }

    private void CountAsHeld(bool held)
    {
        if (held == _countedAsHeld)
            return;
        _countedAsHeld = held;
        relay.Metrics.Held.Add(held ? 1 : -1);
    }

    // What stops when this process is about to end, if the stream can end here.
    private sealed record Interruption(RelayMachine Machine, Action Stop)
    {
        public void Run()
        {
            if (Machine.CanEndHere)
                Stop();
        }
    }
}
