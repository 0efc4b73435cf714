using System.Runtime.CompilerServices;
using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Reads the journals that <see cref="RedisSessionStore"/> writes, page by page; entries of other streams stay in Redis.</summary>
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
        do
        {
            var page = (RedisResult[])(await redis.EvaluateAsync(RedisSessionScripts.ReadJournal, keys, [after, stream, PageLength], cancellationToken))!;
            foreach (var entry in RedisJournalEntry.ReadAll(keys[0], page[1]))
                yield return entry;
            after = (long)page[0];
        }
        while (after > 0);
    }
}
