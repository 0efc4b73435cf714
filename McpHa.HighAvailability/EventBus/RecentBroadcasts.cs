using McpHa.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.EventBus;

/// <summary>
/// Broadcasts that this replica has heard lately: for sessions that had no owner when one came, because the last one had died or had given them up.
/// </summary>
/// <remarks>
/// A broadcast meets all sessions of the replica in one step, and a session arrives in one step. So each broadcast either meets the session or is
/// older than its arrival. What is older, and was not handed on by a former owner, whose record of that comes with the session, it gets as it
/// arrives: before anything newer. Every replica hears broadcasts in the same order, so what came before the last one that was handed on was
/// handed on as well, or missed by an owner that did not hear it; it would be out of order now. Nothing is kept for long: a session whose owner
/// died a while ago has missed what came meanwhile. How old a broadcast is, the clock of its publisher says.
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

    /// <summary>Hands a broadcast to sessions.</summary>
    public void Deliver(UInt128 id, JsonRpcNotification broadcast, IEnumerable<LiveSession> sessions)
    {
        lock (_gate)
        {
            while (_heard.Count >= Most || _heard.TryPeek(out var oldest) && !IsRecent(oldest.Id))
                _heard.Dequeue();
            _heard.Enqueue(new(id, broadcast));
            foreach (var session in sessions)
                Hand(session, broadcast, id);
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
            List<Heard> missed = [];
            foreach (var heard in _heard)
            {
                if (session.WasHandedBefore(heard.Id))
                    missed.Clear();
                else if (IsRecent(heard.Id) && BroadcastIds.Published(heard.Id) > session.Record.Created)
                    missed.Add(heard);
            }

            foreach (var heard in missed)
                Hand(session, heard.Broadcast, heard.Id);
        }
    }

    private bool IsRecent(UInt128 id) => time.GetUtcNow() - BroadcastIds.Published(id) < Recent;

    private readonly record struct Heard(UInt128 Id, JsonRpcNotification Broadcast);
}
