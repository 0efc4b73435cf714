using System.Buffers.Binary;
using System.Text;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Lets an owner that was paused or cut off find out that it is none any more, also when it has nothing to write.</summary>
/// <remarks>
/// The fence keeps such a replica from doing harm; this keeps clients from listening to it for nothing. A take-over is announced on
/// the event bus. After a time in which announcements may have been missed every session is checked by a commit: a fenced one ends here, one
/// that the store has lost is written back.
/// </remarks>
internal sealed partial class OwnershipWatch(
    IEventBus bus, SessionHost host, ReplicaDirectory directory, TimeProvider time, ILogger<OwnershipWatch> logger) : BackgroundService
{
    private const string Topic = "sessions";
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2.5);

    /// <summary>Tells a former owner that the session has a new epoch.</summary>
    public static async Task AnnounceAsync(IEventBus bus, LiveSession session)
    {
        var payload = new byte[sizeof(long) + Encoding.ASCII.GetByteCount(session.Id)];
        BinaryPrimitives.WriteInt64BigEndian(payload, session.Epoch);
        Encoding.ASCII.GetBytes(session.Id, payload.AsSpan(sizeof(long)));
        try
        {
            await bus.PublishAsync(Topic, payload).ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            // The former owner will check by itself when the store is back.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var outages = directory.Outages;
        var last = time.GetTimestamp();
        IAsyncDisposable? subscription = null;
        using var timer = new PeriodicTimer(Beat, time);
        try
        {
            do
            {
                try
                {
                    subscription ??= await bus.SubscribeAsync(Topic, Hear, stoppingToken).ConfigureAwait(false);
                    var paused = time.GetElapsedTime(last) > Pause;
                    last = time.GetTimestamp();
                    if (!paused && outages == directory.Outages)
                        continue;
                    outages = directory.Outages;
                    LogChecking(host.SessionCount, paused ? "this replica stood still" : "the store was away");
                    foreach (var session in host.Sessions)
                        session.Check();
                }
                catch (StoreUnavailableException e)
                {
                    LogLater(e.Message);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    LogFailed(e);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
        }
        finally
        {
            if (subscription is not null)
                await subscription.DisposeAsync().ConfigureAwait(false);
        }
    }

    private ValueTask Hear(ReadOnlyMemory<byte> payload)
    {
        if (payload.Length > sizeof(long) && host.Find(Encoding.ASCII.GetString(payload.Span[sizeof(long)..])) is { } session &&
            session.Epoch < BinaryPrimitives.ReadInt64BigEndian(payload.Span))
        {
            // Only the store decides: a forged or stale announcement costs one commit.
            session.Check();
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The ownership of {Sessions} sessions is checked, because {Reason}.")]
    private partial void LogChecking(int sessions, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Looking after the ownership of sessions failed; the next attempt follows.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Take-overs by others are not heard yet: {Reason}")]
    private partial void LogLater(string reason);
}
