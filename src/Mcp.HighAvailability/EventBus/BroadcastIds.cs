using System.Buffers.Binary;

namespace Mcp.HighAvailability.EventBus;

/// <summary>Ids of broadcasts, 128 bits as in UUID version 7: they tell when they were made, and those of one publisher ascend.</summary>
internal sealed class BroadcastIds(TimeProvider time)
{
    /// <summary>Bytes of an id.</summary>
    public const int Size = 16;

    private const int MillisecondsAt = 80;

    private readonly Lock _gate = new();
    private UInt128 _last;

    public UInt128 Next()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Guid.CreateVersion7(time.GetUtcNow()).TryWriteBytes(bytes, bigEndian: true, out _);
        lock (_gate)
            return _last = UInt128.Max(Read(bytes), _last + 1);
    }

    /// <summary>When an id was made, by the clock of its publisher, to the millisecond.</summary>
    public static DateTimeOffset Published(UInt128 id) => DateTimeOffset.FromUnixTimeMilliseconds((long)(id >> MillisecondsAt));

    /// <summary>The largest id of a moment.</summary>
    public static UInt128 LastOf(DateTimeOffset moment) => ((UInt128)(ulong)(moment.ToUnixTimeMilliseconds() + 1) << MillisecondsAt) - 1;

    public static byte[] Write(UInt128 id)
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        return bytes;
    }

    /// <summary>The id that bytes begin with; zero, which is before all others, if they are too few.</summary>
    public static UInt128 Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.TryReadUInt128BigEndian(bytes, out var id) ? id : 0;
}
