using System.Buffers.Binary;

namespace McpHa.HighAvailability.EventBus;

/// <summary>Ids of broadcasts (UUID version 7), and what a session's record keeps of them: the last few, 16 bytes each, oldest first.</summary>
internal static class BroadcastIds
{
    /// <summary>Bytes of an id.</summary>
    public const int Size = 16;

    /// <summary>So many are kept. A new owner that is further behind takes what it does not find for handed on: never twice goes before always.</summary>
    public const int Most = 32;

    /// <summary>A new id, which tells when it was made.</summary>
    public static UInt128 New(DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[Size];
        Guid.CreateVersion7(now).TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>When an id was made, by the clock of its publisher, to the millisecond.</summary>
    public static DateTimeOffset Published(UInt128 id) => DateTimeOffset.FromUnixTimeMilliseconds((long)(id >> 80));

    /// <summary>The ids and one more; the oldest goes when they are too many.</summary>
    public static byte[] Add(ReadOnlySpan<byte> ids, UInt128 id)
    {
        var kept = ids.Length < Most * Size ? ids : ids[^((Most - 1) * Size)..];
        var all = new byte[kept.Length + Size];
        kept.CopyTo(all);
        BinaryPrimitives.WriteUInt128BigEndian(all.AsSpan(kept.Length), id);
        return all;
    }

    /// <summary>Whether an id is among them, or is so old that it has gone.</summary>
    public static bool Contain(ReadOnlySpan<byte> ids, UInt128 id)
    {
        var oldest = UInt128.MaxValue;
        for (var rest = ids; rest.Length >= Size; rest = rest[Size..])
        {
            var one = BinaryPrimitives.ReadUInt128BigEndian(rest);
            if (one == id)
                return true;
            oldest = UInt128.Min(oldest, one);
        }

        return ids.Length >= Most * Size && id < oldest;
    }
}
