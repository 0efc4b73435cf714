using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Changes of a table as arguments of a script: field, 1, value sets; field, 0 removes.</summary>
internal static class RedisChanges
{
    public static int Length(IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> changes)
    {
        var length = 0;
        for (var i = 0; i < changes.Count; i++)
            length += changes[i].Value is null ? 2 : 3;
        return length;
    }

    /// <returns>The index behind the last argument.</returns>
    public static int Write(IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> changes, RedisValue[] arguments, int at)
    {
        for (var i = 0; i < changes.Count; i++)
        {
            arguments[at++] = changes[i].Key;
            arguments[at++] = changes[i].Value is null ? 0 : 1;
            if (changes[i].Value is { } value)
                arguments[at++] = RedisFields.Value(value);
        }

        return at;
    }
}
