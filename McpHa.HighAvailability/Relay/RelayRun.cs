using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace McpHa.HighAvailability.Relay;

/// <summary>One exchange on its way: asks the route, attempts, and asks again until the client has been answered.</summary>
internal sealed partial class RelayRun(
    Relay relay, RelayClient client, HttpContext context, RelayExchange exchange, IRelayRoute route, CancellationToken clientGone)
{
    // A request that takes every replica down with it would otherwise wander through the cluster for ever. A GET stream only listens, and
    // may have nothing to hear for longer than many replicas live.
    private const int MostBreaksWithoutProgress = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private long? _heldSince;
    private bool _countedAsHeld;
    private int _failures; // since the last progress
    private int _breaks; // since the last progress
    private bool _mayHaveRun; // some attempt got as far as a replica that may have acted on it
    private bool _progress; // an event was passed on by the attempt

    public async Task RunAsync()
    {
        try
        {
            RelayFailure? failure = null;
            while (true)
            {
                var target = await NextAsync(failure);
                if (clientGone.IsCancellationRequested)
                    return;

                if (target is null)
                {
                    await GiveUpAsync();
                    return;
                }

                var started = Stopwatch.GetTimestamp();
                _progress = false;
                failure = await AttemptAsync(target);
                if (failure is null || clientGone.IsCancellationRequested)
                    return;

                Note(failure, Stopwatch.GetElapsedTime(started));
                if (_mayHaveRun && !exchange.Repeatable && !CanResume)
                {
                    relay.Metrics.GivenUp.Add(1);
                    await client.FailAsync(RelayError.MayHaveRun, exchange.Body);
                    return;
                }
            }
        }
        catch (InvalidDataException exception)
        {
            LogTooLarge(relay.Logger, exception.Message);
            await client.FailAsync(RelayError.AnswerTooLarge, exchange.Body);
        }
        finally
        {
            await client.EndAsync();
            CountAsHeld(false);
        }
    }

    private bool CanResume => client.IsStream && !_cursor.IsEmpty;

    private async ValueTask<RelayTarget?> NextAsync(RelayFailure? failure)
    {
        // Neither timer nor link unless the route really waits.
        using var hold = new CancellationTokenSource();
        var pending = failure is null ? route.NextAsync(null, hold.Token) : NextAfterPauseAsync(failure, hold.Token);
        if (pending.IsCompleted)
            return await pending;

        CountAsHeld(true);
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
        if ((_breaks > MostBreaksWithoutProgress && exchange.Method != HttpMethod.Get) || (_heldSince is { } since && Stopwatch.GetElapsedTime(since) >= exchange.HoldTime))
            return null;

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
        relay.Metrics.Failed(failure.Kind);
        LogFailed(relay.Logger, failure.Target.ReplicaId, failure.Kind);
        CountAsHeld(true);

        var broke = failure.Kind is RelayFailureKind.Broken or RelayFailureKind.Lost;
        if (_progress || lasted > TimeSpan.FromSeconds(1))
            _failures = 0;
        if (_progress)
            _breaks = 0;

        // The hold time counts anew for a replica that had really taken the exchange.
        if (_heldSince is null || _progress || (broke && lasted > TimeSpan.FromSeconds(1)))
            _heldSince = Stopwatch.GetTimestamp();

        _failures++;
        if (broke)
            _breaks++;
    }

    private async ValueTask GiveUpAsync()
    {
        relay.Metrics.GivenUp.Add(1);
        LogGivenUp(relay.Logger, exchange.HoldTime);
        if (client.IsStream)
            client.Abort(); // the client may resume by itself later
        else
            await client.FailAsync(RelayError.NoReplica, exchange.Body);
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer was not relayed: {Reason}")]
    private static partial void LogTooLarge(ILogger logger, string reason);
}
