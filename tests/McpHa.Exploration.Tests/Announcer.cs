using System.Text.Json.Nodes;
using Mcp.HighAvailability.EventBus;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>Whoever makes broadcasts, and the bus that brings them: to every replica in the same order, to each when it is chosen.</summary>
internal sealed class Announcer(TimeProvider time)
{
    private readonly BroadcastIds _ids = new(time);
    private readonly Dictionary<ExploredReplica, Queue<(UInt128 Id, JsonRpcNotification Broadcast)>> _onTheirWay = [];

    /// <summary>How many were made. They are numbered from one.</summary>
    public int Count { get; private set; }

    public void Announce(IEnumerable<ExploredReplica> replicas)
    {
        var number = ++Count;
        var id = _ids.Next();
        foreach (var replica in replicas)
        {
            if (!_onTheirWay.TryGetValue(replica, out var queue))
                _onTheirWay[replica] = queue = new();
            queue.Enqueue((id, new JsonRpcNotification { Method = NotificationMethods.LoggingMessageNotification, Params = new JsonObject { ["level"] = "info", ["data"] = number } }));
        }
    }

    public bool HasFor(ExploredReplica replica) => _onTheirWay.TryGetValue(replica, out var queue) && queue.Count > 0;

    /// <summary>The replica hears the next one.</summary>
    public void Bring(ExploredReplica replica)
    {
        var (id, broadcast) = _onTheirWay[replica].Dequeue();
        replica.Host.Broadcasts.Deliver(id, broadcast, replica.Host.Sessions);
    }
}
