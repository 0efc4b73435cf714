using System.Globalization;
using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Counts the sessions and reads what the server says of its memory, in one step.</summary>
internal sealed class RedisStoreFigures(RedisConnection redis) : IStoreFigures
{
    public async ValueTask<StoreFigures> ReadAsync(CancellationToken cancellationToken = default)
    {
        var answer = (RedisResult[])(await redis.EvaluateAsync(RedisScripts.Figures, [redis.Keys.OpenSessions], [], cancellationToken))!;
        var info = (string?)answer[1] ?? "";
        return new((long)answer[0]) { MemoryUsed = Number(info, "used_memory:"), MemoryLimit = Number(info, "maxmemory:") is > 0 and var limit ? limit : null };
    }

    private static long? Number(string info, string name)
    {
        foreach (var line in info.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(name, StringComparison.Ordinal) &&
                long.TryParse(line[name.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return number;
        }

        return null;
    }
}
