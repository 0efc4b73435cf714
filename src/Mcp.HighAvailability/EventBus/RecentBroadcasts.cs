using Mcp.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.EventBus;

/// <summary>
/// Broadcasts that this replica has heard lately: for sessions that had no owner when one came, because the last one had died or had given them up.
/// </summary>
/// <remarks>
/// A broadcast meets all sessions of the replica in one step, and a session arrives in one step. So each broadcast either meets the session or is
/// older than its arrival. What is older, and newer than the newest that a former owner has handed on, the session gets as it arrives: before
/// anything that comes later. Nothing is handed on that is too long ago: a session whose owner died a while before has missed what came meanwhile.
/// </remarks>
internal sealed class RecentBroadcasts(TimeProvider time)
{
    private const int Most = 256;
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(10);

    // Taken before any session's gate.
    private readonly Lock _gate = new();
    private readonly Queue<Heard> _heard = new();

    /// <summary>Hands a broadcast to a session, if it wants it. Whether the session takes it is decided before this returns.</summary>
    public Action<LiveSession, JsonRpcNotification, UInt128> Hand { get; set; } = static (_, _, _) => { };

    /// <summary>Hands a broadcast to sessions. <see langword="false"/>: that was done before.</summary>
    /// <remarks>The bus may bring what its publisher took for lost and has handed on by itself.</remarks>
    public bool Deliver(UInt128 id, JsonRpcNotification broadcast, IEnumerable<LiveSession> sessions)
    {
        lock (_gate)
        {
            if (_heard.Any(heard => heard.Id == id))
                return false;
            if (_heard.Count >= Most)
                _heard.Dequeue();
            _heard.Enqueue(new(id, broadcast));
            foreach (var session in sessions)
                Hand(session, broadcast, id);
            return true;
        }
    }

    /// <summary>A session becomes this replica's.</summary>
    /// <param name="session">The session.</param>
    /// <param name="show">Makes it one of those that broadcasts meet.</param>
    public void Arrive(LiveSession session, Action show)
    {
        lock (_gate)
        {
            show();
            foreach (var heard in _heard.Where(heard => !session.Unrelated.IsPast(heard.Id) && time.GetUtcNow() - BroadcastIds.Published(heard.Id) < Recent))
                Hand(session, heard.Broadcast, heard.Id);
        }
    }

    private readonly record struct Heard(UInt128 Id, JsonRpcNotification Broadcast);
}
