namespace Mcp.HighAvailability.Sessions;

/// <summary>Counts the client requests in work in all sessions of a replica, so that a heartbeat need not look at each session.</summary>
internal sealed class CallCounter
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Add(int calls) => Interlocked.Add(ref _count, calls);
}
