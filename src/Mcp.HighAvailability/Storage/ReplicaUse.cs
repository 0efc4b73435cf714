namespace Mcp.HighAvailability.Storage;

/// <summary>The exchanges with a replica that are open in this process: while there are any it is worth knowing whether it can be reached.</summary>
internal sealed class ReplicaUse
{
    private int _open;
    private long _heard = long.MinValue;

    public bool IsOpen => Volatile.Read(ref _open) > 0;

    /// <summary>When anything came from the replica last, by <see cref="Environment.TickCount64"/>.</summary>
    public long LastReceived => Volatile.Read(ref _heard);

    public Open Begin()
    {
        Interlocked.Increment(ref _open);
        return new Open(this);
    }

    /// <summary>One open exchange, until it is disposed, once. The default value stands for none.</summary>
    public readonly struct Open(ReplicaUse? use) : IDisposable
    {
        /// <summary>Bytes arrived from the replica.</summary>
        public void MarkReceived() => MarkReceived(Environment.TickCount64);

        /// <summary>Bytes arrived from the replica at a time.</summary>
        public void MarkReceived(long time)
        {
            if (use is not null)
                Volatile.Write(ref use._heard, time);
        }

        public void Dispose()
        {
            if (use is not null)
                Interlocked.Decrement(ref use._open);
        }
    }
}
