using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Journal;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Relay;

/// <summary>One exchange on its way: asks the route, attempts, and asks again until the client has been answered.</summary>
internal sealed partial class RelayRun(
    Relay relay, RelayClient client, HttpContext context, RelayExchange exchange, IRelayRoute route, CancellationToken clientGone)
{
    // A request that takes every replica down with it would otherwise wander through the cluster for ever. A GET stream only listens, and
    // may have nothing to hear for longer than many replicas live. One replica counts once: what a request has ended comes back under another
    // id, and one that keeps its id is out of reach, which the hold time bounds.
    private const int MostBreaksWithoutProgress = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    // What nobody waits for goes on behind the calls that broke at the same moment, and not all of it at once.
    private static readonly TimeSpan LeastBehindCalls = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MostBehindCalls = TimeSpan.FromMilliseconds(250);

    private long? _heldSince;
    private bool _countedAsHeld;
    private int _failures; // since the last progress
    private readonly HashSet<string> _broken = []; // replicas that were lost with it, since the last progress
    private readonly List<string> _begunAt = [.. exchange.BegunAt]; // replicas that may have begun to run it and did not answer
    private bool _mayHaveRun = exchange.BegunAt.Count > 0; // some attempt got as far as a replica that may have acted on it
    private bool? _mayRepeat; // asked once: when all others die too, nobody is left who could say so again
    private bool _progress; // an event was passed on by the attempt
    private string? _silent; // the replica that was given up while it had the exchange

    public async Task<bool> RunAsync()
    {
        try
        {
            RelayFailure? failure = null;
            while (true)
            {
                var target = await NextAsync(failure);
                if (clientGone.IsCancellationRequested)
                    return true;

                // A stream that was begun is spliced the same way wherever it goes on.
                if (target is { IsHere: true } && !client.IsStream)
                    return false;

                if (target is null)
                {
                    await GiveUpAsync();
                    return true;
                }

                var started = Stopwatch.GetTimestamp();
                _progress = false;
                failure = await AttemptAsync(target);
                EndAttempt(failure);
                if (failure is null || clientGone.IsCancellationRequested)
                    return true;

                if (EndsHere)
                {
                    client.EndElsewhere(exchange.ForRelay);
                    return true;
                }

                Note(failure, Stopwatch.GetElapsedTime(started));
                if (IsGivenUp)
                {
                    relay.Metrics.GivenUp.Add(1);
                    relay.Metrics.Abandoned(exchange.CallName);
                    LogAbandoned(relay.Logger, exchange.CallName, _begunAt.Count);
                    await client.FailAsync(RelayError.LostRepeatedly(_begunAt.Count), exchange.Body);
                    return true;
                }

                if (_mayHaveRun && !CanResume && !MayRepeat)
                {
                    relay.Metrics.GivenUp.Add(1);
                    await client.FailAsync(RelayError.MayHaveRun, exchange.Body);
                    return true;
                }
            }
        }
        catch (InvalidDataException exception)
        {
            LogTooLarge(relay.Logger, exception.Message);
            await client.FailAsync(RelayError.AnswerTooLarge, exchange.Body);
            return true;
        }
        finally
        {
            EndAttempt(null);
            await client.EndAsync();
            CountAsHeld(false);
        }
    }

    // Within a session replicas count the owners that a call has lost.
    private bool IsGivenUp => !exchange.Repeatable && !exchange.Listens && MayRepeat && !CanResume && _begunAt.Count >= relay.Options.MaxReplicaLosses;

    private void NoteBegun(string replicaId)
    {
        _mayHaveRun = true;
        if (!_begunAt.Contains(replicaId))
            _begunAt.Add(replicaId);
    }

    private bool MayRepeat => exchange.Repeatable || exchange.Listens || (_mayRepeat ??= exchange.MayRepeat?.Invoke() == true);

    // It only listens, and may have nothing to hear for longer than many replicas live.
    private bool Listens => exchange.Listens || exchange.Method == HttpMethod.Get;

    // A stream on which nobody waits for the answer of a call: opened as such, or resumed as such.
    private bool IsGetStream => exchange.Method == HttpMethod.Get &&
        (_cursor.IsEmpty ? context.Request.Headers[RelayHeaders.LastEventId].ToString() is "" or [SseEventId.GetStream, ..] : _cursor.Span[0] == SseEventId.GetStream);

    private bool CanResume => client.IsStream && !_cursor.IsEmpty;

    // This process is about to end, and the client can take the stream up elsewhere. A relay knows from where before it has had an event.
    // What only listens is opened anew by its client.
    private bool EndsHere => Ending.IsCancellationRequested && (exchange.Listens ? client.IsStream : exchange.ForRelay ? CanResume : Volatile.Read(ref _passedId));

    private CancellationToken Ending { get; } = relay.Ending(exchange.Listens || exchange.Method == HttpMethod.Get);

    private async ValueTask<RelayTarget?> NextAsync(RelayFailure? failure)
    {
        // Neither timer nor link unless the route really waits.
        using var hold = new CancellationTokenSource();
        var pending = failure is null ? route.NextAsync(null, hold.Token) : NextAfterPauseAsync(failure, hold.Token);
        if (pending.IsCompleted)
            return await pending;

        CountAsHeld(true);
        using var end = Ending.UnsafeRegister(static state => ((EndOfProcess)state!).End(), new EndOfProcess(this, hold.Cancel));
        using var link = clientGone.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), hold);
        _heldSince ??= Stopwatch.GetTimestamp();
        var left = exchange.HoldTime - Stopwatch.GetElapsedTime(_heldSince.Value);
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

    private async ValueTask<RelayTarget?> NextAfterPauseAsync(RelayFailure failure, CancellationToken holdOver)
    {
        if ((_broken.Count > MostBreaksWithoutProgress && !Listens) || (_heldSince is { } since && Stopwatch.GetElapsedTime(since) >= exchange.HoldTime))
            return null;

        if (_failures == 1 && failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost && IsGetStream)
            await Task.Delay(LeastBehindCalls + ((MostBehindCalls - LeastBehindCalls) * Random.Shared.NextDouble()), holdOver);

        var target = await route.NextAsync(failure, holdOver);

        // Another replica is worth asking at once; the same again, or round and round, is not.
        if (target is not null && (target.ReplicaId == failure.Target.ReplicaId || _failures > 3))
        {
            var pause = FirstPause * Math.Pow(2, Math.Min(_failures, 10) - 1);
            await Task.Delay(pause < LongestPause ? pause : LongestPause, holdOver);
        }

        return target;
    }

    private void Note(RelayFailure failure, TimeSpan lasted)
    {
        relay.Metrics.Failed(Text(failure.Kind));
        TraceBreak(failure);
        LogFailed(relay.Logger, failure.Target.ReplicaId, failure.Kind);
        CountAsHeld(true);

        var broke = failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost;
        if (_progress || lasted > TimeSpan.FromSeconds(1))
            _failures = 0;
        if (_progress)
            _broken.Clear();

        // The hold time counts anew for a replica that had really taken the exchange.
        if (_heldSince is null || _progress || (broke && lasted > TimeSpan.FromSeconds(1)))
            _heldSince = Stopwatch.GetTimestamp();

        _failures++;
        if (broke)
            _broken.Add(failure.Target.ReplicaId);
        if (failure.Kind is RelayFailureKind.Lost)
            _silent = failure.Target.ReplicaId;
        if (broke && exchange.Method == HttpMethod.Post)
            NoteBegun(failure.Target.ReplicaId);
    }

    private async ValueTask GiveUpAsync()
    {
        relay.Metrics.GivenUp.Add(1);
        LogGivenUp(relay.Logger, exchange.HoldTime);
        if (EndsHere)
            client.EndElsewhere(exchange.ForRelay);
        else if (client.IsStream)
            client.Abort(); // the client may resume by itself later
        else
            await client.RefuseAsync(exchange.ForRelay, exchange.Body, _begunAt);
    }

    // What ends when this process is about to end, if the stream may end here.
    private sealed record EndOfProcess(RelayRun Run, Action Stop)
    {
        public void End()
        {
            if (Run.EndsHere)
                Stop();
        }
    }

    private void CountAsHeld(bool held)
    {
        if (held == _countedAsHeld)
            return;

        _countedAsHeld = held;
        relay.Metrics.Held.Add(held ? 1 : -1);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "An attempt at replica {ReplicaId} ended with {Kind}.")]
    private static partial void LogFailed(ILogger logger, string replicaId, RelayFailureKind kind);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No replica could serve an exchange within {HoldTime}; the client was told so.")]
    private static partial void LogGivenUp(ILogger logger, TimeSpan holdTime);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Losses} replicas were lost while they ran '{Call}'. The request has ended with an error and is not sent again.")]
    private static partial void LogAbandoned(ILogger logger, string call, int losses);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer was not relayed: {Reason}")]
    private static partial void LogTooLarge(ILogger logger, string reason);
}
