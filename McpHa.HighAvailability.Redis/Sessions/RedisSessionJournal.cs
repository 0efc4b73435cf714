using System.Runtime.CompilerServices;
using McpHa.HighAvailability.Journal;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Reads the streams that <see cref="RedisSessionStore"/> writes, page by page; other streams stay in Redis.</summary>
internal sealed class RedisSessionJournal(RedisConnection redis) : ISessionJournal
{
    private const int PageLength = 256;

    public async IAsyncEnumerable<JournalEntry> ReadAsync(
        string sessionId,
        string stream,
        long after,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        RedisKey[] keys = [redis.Keys.Journal(sessionId)];
        string last;
        do
        {
            var page = (RedisResult[])(await redis.EvaluateAsync(RedisScripts.ReadJournal, keys, [after + 1, stream, PageLength], cancellationToken))!;
            foreach (var entry in RedisJournalEntry.ReadAll(keys[0], page[1]))
                yield return entry;

            last = (string?)page[0] ?? "";
            if (last.Length > 0)
                after = RedisJournalEntry.Position(keys[0], last);
        }
        while (last.Length > 0);
    }
}
