namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>How many requests, and bytes of their bodies, wait for a replica now, and whether more may.</summary>
internal sealed class HeldRequests(int most)
{
    private long _held;
    private int _count;

    public long Bytes => Volatile.Read(ref _held);

    public int Count => Volatile.Read(ref _count);

    public bool TryHold(int bytes)
    {
        Interlocked.Add(ref _held, bytes);
        if (Interlocked.Increment(ref _count) <= most)
            return true;

        Release(bytes);
        return false;
    }

    public void Release(int bytes)
    {
        Interlocked.Add(ref _held, -bytes);
        Interlocked.Decrement(ref _count);
    }
}
