using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>Publishes broadcasts and delivers the pushes of the log: each arrives at each replica when it is chosen, or is lost.</summary>
internal sealed class Announcer(InMemoryBroadcastLog log)
{
    private readonly Dictionary<ExploredReplica, Queue<BroadcastEntry>> _pushes = [];
    private readonly Dictionary<BroadcastPosition, int> _numbers = [];
    private BroadcastPosition _head;

    /// <summary>How many were made. They are numbered from one.</summary>
    public int Count => _numbers.Count;

    /// <summary>A replica publishes a broadcast. It knows of it at once.</summary>
    public void Announce(ExploredReplica publisher, IEnumerable<ExploredReplica> replicas)
    {
        var number = Count + 1;
        var notification = new JsonRpcNotification
        {
            Method = NotificationMethods.LoggingMessageNotification,
            Params = new JsonObject { ["level"] = "info", ["data"] = number },
        };
        var publication = new BroadcastPublication { Kind = BroadcastKinds.Notification, Id = $"{number}", Payload = JsonRpc.Serialize(notification) };
        var entry = log.AppendAsync(publication, publisher.Broadcasts.Head).Result!;
        _head = entry.Position;
        _numbers.Add(entry.Position, number);
        foreach (var replica in replicas)
        {
            if (!_pushes.TryGetValue(replica, out var queue))
                _pushes[replica] = queue = new();
            queue.Enqueue(entry);
        }

        publisher.Broadcasts.Receive(entry);
    }

    /// <summary>Whether the log has, or had, a broadcast at an event's position.</summary>
    public bool Holds(string position, int number) => BroadcastPosition.TryParse(position, out var at) && _numbers.GetValueOrDefault(at) == number;

    /// <summary>The log is empty. Pushes are still under way.</summary>
    public void Lost() => _head = BroadcastPosition.None;

    /// <summary>Whether a replica has a broadcast in its memory.</summary>
    public bool IsKnown(int number, ExploredReplica replica)
    {
        for (var at = 0L; replica.Broadcasts.Next(at) is { } followed; at = followed.Ordinal)
        {
            if (_numbers.GetValueOrDefault(followed.Entry.Position) == number)
                return true;
        }

        return false;
    }

    public bool HasFor(ExploredReplica replica) => _pushes.TryGetValue(replica, out var queue) && queue.Count > 0;

    /// <summary>Whether the log has a broadcast that a replica does not know of.</summary>
    public bool IsBehind(ExploredReplica replica) => !_head.IsNone && replica.Broadcasts.Last.Position != _head;

    /// <summary>The replica hears the next push.</summary>
    public void Bring(ExploredReplica replica) => replica.Broadcasts.Receive(_pushes[replica].Dequeue());

    /// <summary>The replica does not hear the next push.</summary>
    public void Lose(ExploredReplica replica) => _pushes[replica].Dequeue();
}
