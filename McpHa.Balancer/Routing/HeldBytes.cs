namespace McpHa.Balancer.Routing;

/// <summary>How many bytes of request bodies wait for a replica now, and whether more may.</summary>
internal sealed class HeldBytes(long most)
{
    private long _held;

    public long Now => Volatile.Read(ref _held);

    public bool TryHold(int bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= most)
            return true;

        Release(bytes);
        return false;
    }

    public void Release(int bytes) => Interlocked.Add(ref _held, -bytes);
}
