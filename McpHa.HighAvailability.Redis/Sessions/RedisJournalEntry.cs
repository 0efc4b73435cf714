using McpHa.HighAvailability.Journal;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Journal entries as arguments of a script and as entries of a stream.</summary>
internal static class RedisJournalEntry
{
    /// <summary>Arguments per entry.</summary>
    public const int Arguments = 6;

    public static void Write(JournalEntry entry, Span<RedisValue> arguments)
    {
        arguments[0] = entry.Position;
        arguments[1] = entry.Stream;
        arguments[2] = entry.Previous;
        arguments[3] = entry.Answers;
        arguments[4] = entry.Time.ToUnixTimeMilliseconds();
        arguments[5] = RedisFields.Value(entry.Payload);
    }

    public static JournalEntry[] ReadAll(RedisKey key, RedisResult entries)
    {
        var results = (RedisResult[])entries!;
        var read = new JournalEntry[results.Length];
        for (var i = 0; i < read.Length; i++)
            read[i] = Read(key, (RedisResult[])results[i]!);
        return read;
    }

    /// <summary>The position in a stream entry's id.</summary>
    public static long Position(RedisKey key, string id) =>
        RedisSessionRecord.Number(key, id.EndsWith("-0", StringComparison.Ordinal) ? id[..^2] : id);

    private static JournalEntry Read(RedisKey key, RedisResult[] entry)
    {
        var fields = (RedisValue[])entry[1]!;
        if (fields.Length != 10 || fields[8] != "payload")
            throw RedisFaults.InvalidRecord(key);

        return new()
        {
            Position = Position(key, (string)entry[0]!),
            Stream = fields[1]!,
            Previous = RedisSessionRecord.Number(key, fields[3]),
            Answers = fields[5]!,
            Time = DateTimeOffset.FromUnixTimeMilliseconds(RedisSessionRecord.Number(key, fields[7])),
            Payload = (byte[]?)fields[9] ?? [],
        };
    }
}
