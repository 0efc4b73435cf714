using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Detects lost ownership after a pause or partition, even when a session has nothing to write, and writes back what the store has lost.</summary>
/// <remarks>
/// <para>The fence protects the store. This check ends streams of a former owner. A take-over is announced on the event bus, and so is the write-back of a
/// session that was taken over: a former owner may have written it back before. After a time in which announcements may have been missed, and when another
/// incarnation of the store begins (<see cref="StoreIncarnation"/>), every session is checked by a commit: a fenced one ends here, one that the store has
/// lost is written back.</para>
/// <para>The next heartbeat then says so (<see cref="ReplicaInfo.WrittenBack"/>). Until all replicas have said it, no session counts as unknown.</para>
/// </remarks>
internal sealed partial class OwnershipWatch(
    IEventBus bus, SessionHost host, IEnumerable<IStoreCheck> checks, SelfReplica self, ReplicaDirectory directory, TimeProvider time,
    ILogger<OwnershipWatch> logger) : BackgroundService
{
    private const int AtOnce = 64;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var store = directory.Store;
        var seen = 0;
        IAsyncDisposable? subscription = null;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                var next = store.Changed;
                try
                {
                    var doubts = store.Doubts;
                    if (doubts != seen || store.Id is { } id && id != self.WrittenBack)
                        await CheckAsync(store.Id).ConfigureAwait(false);
                    seen = doubts;
                    subscription ??= await bus.SubscribeAsync(OwnerNews.Topic, OnMessage, stoppingToken).ConfigureAwait(false);
                }
                catch (StoreUnavailableException e)
                {
                    LogLater(e.Message);
                    next = Task.WhenAny(next, Task.Delay(RetryDelay, time, stoppingToken));
                }
                catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
                {
                    LogFailed(e);
                    next = Task.Delay(RetryDelay, time, stoppingToken);
                }

                await next.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            if (subscription is not null)
                await subscription.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Every session that this replica has, those included that it is just taking over, is known to the store afterwards, or is another replica's.
    private async Task CheckAsync(string? incarnation)
    {
        await host.TakenOverAsync().ConfigureAwait(false);
        if (host.SessionCount is > 0 and var sessions)
            LogChecking(sessions);
        await Parallel.ForEachAsync(host.Sessions, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (session, _) =>
            await session.VerifyAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)).ConfigureAwait(false);
        foreach (var check in checks)
            await check.CheckAsync().ConfigureAwait(false);

        // If another incarnation has begun meanwhile, the next round checks again.
        if (incarnation is null || self.WrittenBack == incarnation)
            return;
        self.WrittenBack = incarnation;
        directory.Announce();
    }

    private ValueTask OnMessage(ReadOnlyMemory<byte> payload)
    {
        if (OwnerNews.TryRead(payload.Span, out var epoch, out var words) && words[1] != self.Id &&
            host.Find(words[0]) is { } session && session.Epoch <= epoch)
        {
            // Only the store decides: a forged or stale announcement costs one commit. A session that was given up has no owner here in any case.
            if (session.HandedOver)
                session.CloseHandedOver();
            else
                session.Check();
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Checking that this replica still owns its sessions: the store was away, restarted or emptied, or this replica stood still. " +
            "Sessions: {Sessions}.")]
    private partial void LogChecking(int sessions);

    [LoggerMessage(Level = LogLevel.Error, Message = "The check of session ownership failed. It is repeated within a second.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Not subscribed to the news of owners yet: {Reason}")]
    private partial void LogLater(string reason);
}
