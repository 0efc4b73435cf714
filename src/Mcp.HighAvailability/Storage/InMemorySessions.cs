using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Storage;

/// <summary>The data behind <see cref="InMemorySessionStore"/> and the in-memory journal: one instance per process.</summary>
/// <remarks>
/// Sessions expire when they are looked at; the others are swept when sessions are created, the only way in which
/// the table grows. So there is no timer.
/// </remarks>
internal sealed class InMemorySessions(TimeProvider time, IOptions<SessionStoreOptions> options)
{
    private readonly ConcurrentDictionary<string, InMemorySession> _sessions = new(StringComparer.Ordinal);
    private long _nextSweep = time.GetUtcNow().UtcTicks;

    public SessionStoreOptions Options => options.Value;

    public DateTimeOffset Now => time.GetUtcNow();

    public int Count => _sessions.Count;

    /// <summary>Finds a session or the mark of its end.</summary>
    public bool TryGet(string sessionId, [NotNullWhen(true)] out InMemorySession? session)
    {
        if (!_sessions.TryGetValue(sessionId, out session))
            return false;
        if (session.Expires > Now)
            return true;

        _sessions.TryRemove(new(sessionId, session));
        session = null;
        return false;
    }

    /// <summary>Adds a session unless the id is in use.</summary>
    /// <returns>The session that has the id now.</returns>
    public InMemorySession GetOrAdd(InMemorySession session)
    {
        SweepWhenDue();
        while (true)
        {
            if (TryGet(session.Record.Id, out var existing))
                return existing;
            if (_sessions.TryAdd(session.Record.Id, session))
                return session;
        }
    }

    /// <summary>How many sessions are open.</summary>
    public int CountOpen()
    {
        var now = Now;
        return _sessions.Values.Count(session => !session.Ended && session.Expires > now);
    }

    /// <summary>Forgets everything, as a backend does that was wiped.</summary>
    public void Clear() => _sessions.Clear();

    private void SweepWhenDue()
    {
        var now = Now;
        var due = Interlocked.Read(ref _nextSweep);
        if (now.UtcTicks < due)
            return;

        var period = Math.Min(Options.IdleTimeout.Ticks, Options.EndedRetention.Ticks) / 2;
        if (Interlocked.CompareExchange(ref _nextSweep, now.UtcTicks + period, due) != due)
            return;

        foreach (var pair in _sessions)
        {
            if (pair.Value.Expires <= now)
                _sessions.TryRemove(pair);
        }
    }
}
