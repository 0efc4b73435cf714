using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>
/// A journal entry as one value: position, Unix ms, previous position, stream and the byte count of <see cref="JournalEntry.Answers"/>, each followed by
/// a space, then Answers, then the payload. The scripts read the same form.
/// </summary>
internal static class RedisJournalEntry
{
    private const int MaxNumbers = (3 * 20) + 10 + 5;

    public static RedisValue Write(JournalEntry entry)
    {
        var answers = Encoding.UTF8.GetByteCount(entry.Answers);
        var value = new byte[MaxNumbers + entry.Stream.Length + answers + entry.Payload.Length];
        if (!Utf8.TryWrite(
            value,
            CultureInfo.InvariantCulture,
            $"{entry.Position} {entry.Time.ToUnixTimeMilliseconds()} {entry.Previous} {entry.Stream} {answers} {entry.Answers}",
            out var head))
        {
            throw new ArgumentException($"The stream of a journal entry must consist of [a-z0-9], but is '{entry.Stream}'.");
        }

        entry.Payload.CopyTo(value.AsMemory(head));
        return value.AsMemory(0, head + entry.Payload.Length);
    }

    public static JournalEntry[] ReadAll(RedisKey key, RedisResult entries)
    {
        var values = (RedisValue[])entries!;
        var read = new JournalEntry[values.Length];
        for (var i = 0; i < read.Length; i++)
            read[i] = Read(key, (byte[]?)values[i] ?? []);
        return read;
    }

    private static JournalEntry Read(RedisKey key, byte[] value)
    {
        var rest = value.AsMemory();
        var (position, time, previous) = (Number(key, ref rest), Number(key, ref rest), Number(key, ref rest));
        var stream = Encoding.UTF8.GetString(Word(key, ref rest).Span);
        var answers = Number(key, ref rest);
        if (answers < 0 || answers > rest.Length || time > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            throw RedisFaults.InvalidRecord(key);

        return new()
        {
            Position = position,
            Stream = stream,
            Previous = previous,
            Answers = Encoding.UTF8.GetString(rest.Span[..(int)answers]),
            Time = DateTimeOffset.FromUnixTimeMilliseconds(time),
            Payload = rest[(int)answers..],
        };
    }

    private static long Number(RedisKey key, ref Memory<byte> rest) =>
        long.TryParse(Word(key, ref rest).Span, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw RedisFaults.InvalidRecord(key);

    private static Memory<byte> Word(RedisKey key, ref Memory<byte> rest)
    {
        var end = rest.Span.IndexOf((byte)' ');
        if (end < 0)
            throw RedisFaults.InvalidRecord(key);
        var word = rest[..end];
        rest = rest[(end + 1)..];
        return word;
    }
}
