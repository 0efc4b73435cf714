using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Fields of the session hash. The scripts spell them out.</summary>
internal static class RedisFields
{
    public const string Owner = "owner";
    public const string Epoch = "epoch";
    public const string User = "user";
    public const string Trace = "trace";
    public const string Version = "version";
    public const string Created = "created";
    public const string Position = "position";
    public const string Commit = "commit";

    /// <summary>Number of journal entries, so that trimming needs no look at the list until the bound is passed.</summary>
    public const string Entries = "entries";

    /// <summary>Payload bytes in the journal.</summary>
    public const string Bytes = "bytes";

    /// <summary>The last changes of the owner; see <see cref="RedisHops"/>.</summary>
    public const string Hops = "hops";

    /// <summary>Marks an ended session; the value is its last epoch.</summary>
    public const string Ended = "ended";

    /// <summary>Prefix of the handshake messages.</summary>
    public const string Handshake = "h:";

    /// <summary>Prefix of a handle's values.</summary>
    public const string HandleValue = "k:";

    /// <summary>The user of a handle.</summary>
    public const string HandleUser = "user";

    /// <summary>The version of a handle.</summary>
    public const string HandleVersion = "version";

    /// <summary>A value without a copy where its memory is a whole array.</summary>
    public static RedisValue Value(ReadOnlyMemory<byte> bytes) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(bytes, out var segment) && segment.Array is { } array && segment.Offset == 0 &&
            segment.Count == array.Length
            ? array
            : bytes.ToArray();

    /// <summary>Values by key, of a table whose fields carry no prefix.</summary>
    public static Dictionary<string, ReadOnlyMemory<byte>> Table(HashEntry[] fields)
    {
        var table = new Dictionary<string, ReadOnlyMemory<byte>>(fields.Length);
        foreach (var field in fields)
            table[(string?)field.Name ?? ""] = (byte[]?)field.Value ?? [];
        return table;
    }

    /// <summary>Reads the HGETALL result of a script.</summary>
    public static HashEntry[] Pairs(RedisResult flat)
    {
        var values = (RedisValue[])flat!;
        var pairs = new HashEntry[values.Length / 2];
        for (var i = 0; i < pairs.Length; i++)
            pairs[i] = new(values[2 * i], values[(2 * i) + 1]);
        return pairs;
    }
}
