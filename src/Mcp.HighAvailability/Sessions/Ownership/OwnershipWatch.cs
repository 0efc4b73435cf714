using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Detects lost ownership after a pause or partition, even when the session has nothing to write.</summary>
/// <remarks>
/// The fence keeps such a replica from doing harm; this keeps clients from listening to it for nothing. A take-over is announced on
/// the event bus. After a time in which announcements may have been missed, and when the store may have lost data, every session is checked by
/// a commit: a fenced one ends here, one that the store has lost is written back. When that is done the next heartbeats say so
/// (<see cref="ReplicaInfo.Checked"/>): until all have said it no session is answered as unknown.
/// </remarks>
internal sealed partial class OwnershipWatch(
    IEventBus bus, SessionHost host, IEnumerable<IStoreCheck> checks, SelfReplica self, ReplicaDirectory directory, TimeProvider time,
    ILogger<OwnershipWatch> logger) : BackgroundService
{
    private const int AtOnce = 64;
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2.5);

    private static readonly Task Never = new TaskCompletionSource().Task;

    private long _felt = time.GetTimestamp();
    private int _pauses;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (outages, pauses, lapses) = (directory.Outages, 0, directory.Lapses);
        IAsyncDisposable? subscription = null;
        using var pulse = time.CreateTimer(_ => OnBeat(), null, Beat, Beat);
        using var timer = new PeriodicTimer(Beat, time);
        var tick = timer.WaitForNextTickAsync(stoppingToken).AsTask();
        try
        {
            while (true)
            {
                var interrupted = directory.Interrupted;
                try
                {
                    var paused = pauses != Volatile.Read(ref _pauses);
                    if (paused || outages != directory.Outages || lapses != directory.Lapses || directory.Run is { } run && run.Id != self.Checked)
                    {
                        var seen = (directory.Outages, Volatile.Read(ref _pauses), directory.Lapses);
                        await CheckAsync(paused ? "this replica was paused" : "the store was unreachable or restarted").ConfigureAwait(false);
                        (outages, pauses, lapses) = seen;
                    }

                    subscription ??= await bus.SubscribeAsync(TakeOverNews.Topic, OnMessage, stoppingToken).ConfigureAwait(false);
                }
                catch (StoreUnavailableException e)
                {
                    LogLater(e.Message);
                }
                catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
                {
                    // The next beat tries again, even if the store is interrupted meanwhile.
                    LogFailed(e);
                    interrupted = Never;
                }

                await Task.WhenAny(tick, interrupted).ConfigureAwait(false);
                if (tick.IsCompleted && !await tick.ConfigureAwait(false))
                    return;
                if (tick.IsCompleted)
                    tick = timer.WaitForNextTickAsync(stoppingToken).AsTask();
            }
        }
        finally
        {
            if (subscription is not null)
                await subscription.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Beside the checks, which may take long themselves.
    private void OnBeat()
    {
        var now = time.GetTimestamp();
        if (time.GetElapsedTime(Interlocked.Exchange(ref _felt, now), now) > Pause)
            Interlocked.Increment(ref _pauses);
    }

    // Every session that this replica has, those included that it is just taking over, is known to the store afterwards, or is not ours.
    private async Task CheckAsync(string reason)
    {
        var run = directory.Run?.Id ?? "";
        await host.TakenOverAsync().ConfigureAwait(false);
        if (host.SessionCount is > 0 and var sessions)
            LogChecking(sessions, reason);
        await Parallel.ForEachAsync(host.Sessions, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (session, _) =>
            await session.VerifyAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)).ConfigureAwait(false);
        foreach (var check in checks)
            await check.CheckAsync().ConfigureAwait(false);

        // What was checked in a run that has ended meanwhile is checked again.
        if (self.Checked == run)
            return;
        self.Checked = run;
        directory.Announce();
    }

    private ValueTask OnMessage(ReadOnlyMemory<byte> payload)
    {
        if (TakeOverNews.Read(payload.Span) is { } news && host.Find(news.SessionId) is { } session && session.Epoch < news.Epoch)
        {
            // Only the store decides: a forged or stale announcement costs one commit. A session that was given up has no owner here in any case.
            if (session.HandedOver)
                session.CloseHandedOver();
            else
                session.Check();
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Checking that this replica still owns its sessions: {Reason}. Sessions: {Sessions}.")]
    private partial void LogChecking(int sessions, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The check of session ownership failed. It is repeated within a second.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Not subscribed to take-over news yet: {Reason}")]
    private partial void LogLater(string reason);
}
