using System.Collections.Concurrent;
using Mcp.HighAvailability.Timing;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The sessions that this replica serves. Thread-safe.</summary>
/// <param name="time">The clock.</param>
/// <param name="observers">Are told of every copy that is added or removed.</param>
internal sealed class SessionTable(TimeProvider time, IReadOnlyList<ISessionObserver> observers)
{
    private readonly ConcurrentDictionary<string, LiveSession> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _users = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>When <see cref="IdleSweep"/> has to look at a session next. Each is due once when it is added.</summary>
    public DueQueue<LiveSession> Looks { get; } = new(time);

    /// <summary>All sessions, each looked at once. Not for heartbeats and requests: their work must not grow with the number of sessions.</summary>
    public IEnumerable<LiveSession> All => _sessions.Select(static pair => pair.Value);

    public int Count => Volatile.Read(ref _count);

    public bool IsEmpty => _sessions.IsEmpty;

    public LiveSession? Find(string sessionId) => _sessions.GetValueOrDefault(sessionId);

    /// <summary>How many sessions of a user there are.</summary>
    public int CountOf(string user) => _users.GetValueOrDefault(user);

    /// <summary>Adds a session. It may be taken back while its former copy here ends, and is counted once.</summary>
    public void Add(LiveSession session)
    {
        while (true)
        {
            if (_sessions.TryGetValue(session.Id, out var former))
            {
                if (!_sessions.TryUpdate(session.Id, session, former))
                    continue;
                Begin(session);
                return;
            }
            else if (_sessions.TryAdd(session.Id, session))
            {
                Interlocked.Increment(ref _count);
                Begin(session);
                if (session.User.Length > 0)
                    _users.AddOrUpdate(session.User, 1, static (_, count) => count + 1);
                return;
            }
        }
    }

    /// <summary>Removes this very copy of a session.</summary>
    public void Remove(LiveSession session)
    {
        Leave(session);
        if (!_sessions.TryRemove(new KeyValuePair<string, LiveSession>(session.Id, session)))
            return;
        Interlocked.Decrement(ref _count);
        if (session.User.Length > 0 && _users.AddOrUpdate(session.User, 0, static (_, count) => count - 1) == 0)
            _users.TryRemove(new(session.User, 0));
    }

    private void Begin(LiveSession session)
    {
        session.Look = Looks.Add(session, TimeSpan.Zero);
        foreach (var observer in observers)
            observer.Began(session);

        // It may have ended meanwhile.
        if (!session.Serves)
            Leave(session);
    }

    private void Leave(LiveSession session)
    {
        if (session.Look is { } look)
            Looks.Remove(look);
        foreach (var observer in observers)
            observer.Left(session);
    }
}
