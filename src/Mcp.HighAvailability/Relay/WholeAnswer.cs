using System.Buffers;
using Mcp.HighAvailability.Relay.Upstream;

namespace Mcp.HighAvailability.Relay;

/// <summary>How reading a response to its end went.</summary>
internal enum WholeReading
{
    /// <summary>The answer has arrived whole.</summary>
    Whole,

    /// <summary>The answer broke off.</summary>
    Broke,

    /// <summary>The answer is larger than allowed.</summary>
    TooLarge,
}

/// <summary>A response body in a pooled buffer, or in that of its connection if it arrived at once.</summary>
internal struct WholeAnswer : IDisposable
{
    private byte[]? _buffer;

    /// <summary>The body; valid until this and its call are disposed.</summary>
    public ReadOnlyMemory<byte> Body { get; private set; }

    /// <summary>Reads a response to its end.</summary>
    public static async ValueTask<(WholeReading Reading, WholeAnswer Answer)> ReadAsync(ReplicaCall call, int maxBytes)
    {
        if (call.Length > maxBytes)
            return (WholeReading.TooLarge, default);
        if (call.TryReadWhole(out var whole))
            return (WholeReading.Whole, new() { Body = whole });

        var buffer = ArrayPool<byte>.Shared.Rent((int)(call.Length ?? 4096) + 1); // one more, to see the end
        var total = 0;
        int read;
        while ((read = await call.ReadAsync(buffer.AsMemory(total))) > 0 && total + read <= maxBytes)
        {
            total += read;
            if (total == buffer.Length)
                buffer = Larger(buffer);
        }

        var reading = read > 0 ? WholeReading.TooLarge : read < 0 ? WholeReading.Broke : WholeReading.Whole;
        return (reading, new() { _buffer = buffer, Body = buffer.AsMemory(0, total) });
    }

    public void Dispose()
    {
        if (_buffer is not null)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, Body) = (null, default);
    }

    private static byte[] Larger(byte[] full)
    {
        var larger = ArrayPool<byte>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }
}
