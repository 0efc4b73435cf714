using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>
/// Writes the timeline of the whole cluster: replicas as the directory shows them, and take-overs as their new owners announce them on the event bus.
/// </summary>
internal sealed partial class ClusterWatch(
    ReplicaDirectory directory, Timeline timeline, ReplicaRoster roster, ClusterHistory history, TimeProvider time, ILogger<ClusterWatch> logger,
    IEventBus? bus = null) : BackgroundService
{
    // How often it looks whether the registry is there, and samples the history. Changes of replicas wake it at once.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, ReplicaInfo> _alive = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _lost = new(StringComparer.Ordinal);
    private DateTimeOffset? _awaySince;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var listener = bus is null ? null : new BusListener(bus, OwnerNews.Topic, time, logger);
        listener?.Start(OnMessage);
        while (!stoppingToken.IsCancellationRequested)
        {
            var changed = directory.Changed;
            try
            {
                CompareReplicas();
                CompareRegistry();
                history.Sample();
            }
            catch (Exception e)
            {
                LogFailed(e);
            }

            await changed.WaitAsync(Look, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (listener is not null)
            await listener.StopAsync();
    }

    private ValueTask OnMessage(ReadOnlyMemory<byte> message)
    {
        if (TakeOverNews.Read(message.Span) is { } news)
            timeline.Add(TimelineKind.TakenOver, news.From, news.To, news.Reason, news.Took);
        return ValueTask.CompletedTask;
    }

    private void CompareReplicas()
    {
        var now = directory.Alive;
        foreach (var replica in now)
        {
            if (!_alive.TryGetValue(replica.Id, out var before))
                Joined(replica);
            else if (replica.Draining && (!before.Draining || before.Stays && !replica.Stays))
                timeline.Add(replica.Stays ? TimelineKind.Drained : TimelineKind.Stopping, replica.Id);
            else if (before.Draining && !replica.Draining)
                timeline.Add(TimelineKind.Resumed, replica.Id);
            _alive[replica.Id] = replica;
        }

        foreach (var gone in _alive.Values.Where(before => now.All(replica => replica.Id != before.Id)).ToList())
        {
            _alive.Remove(gone.Id);
            if (gone is { Draining: true, Stays: false })
            {
                timeline.Add(TimelineKind.Left, gone.Id);
                continue;
            }

            timeline.AddLost(gone.Id, LastHeard(gone.Id), gone.Sessions);
            _lost[gone.Id] = time.GetUtcNow();
        }

        // Ids are new at every start: a replica that has not come back by now does not come back.
        foreach (var id in _lost.Where(pair => time.GetUtcNow() - pair.Value > ReplicaSilence.RemovedAfter).Select(pair => pair.Key).ToList())
            _lost.Remove(id);

        // The roster learns of losses by looking, also while no page is open.
        roster.CountUnreplaced();
    }

    private DateTimeOffset LastHeard(string id) =>
        time.GetUtcNow() - (directory.Known().FirstOrDefault(known => known.Replica.Id == id)?.Age ?? TimeSpan.Zero);

    private void Joined(ReplicaInfo replica)
    {
        if (_lost.Remove(replica.Id))
            timeline.Add(TimelineKind.Back, replica.Id);
        else
            timeline.Add(TimelineKind.Joined, replica.Id, roster.JoinedAt(replica));
        if (replica.Draining)
            timeline.Add(replica.Stays ? TimelineKind.Drained : TimelineKind.Stopping, replica.Id);
    }

    private void CompareRegistry()
    {
        var since = directory.AwaySince;
        if (since is not null && _awaySince is null)
            timeline.Add(TimelineKind.RegistryAway, at: since);
        else if (since is null && _awaySince is not null)
            timeline.Add(TimelineKind.RegistryBack);
        _awaySince = since;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An event of the cluster is missing in the history of the cluster page.")]
    private partial void LogFailed(Exception exception);
}
