using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Lists the sessions that have a record, so that they can be counted without a scan of keys.</summary>
/// <remarks>
/// The list is for display and may be off by a few: its commands are sent before those of the session, on the same connection, and no caller waits for them.
/// An expired session is taken out by the next count, or by the next creation if nothing counts.
/// </remarks>
internal sealed class RedisSessionIndex(RedisConnection redis, TimeProvider time)
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private long _swept = time.GetTimestamp();

    /// <summary>A session is created or written back.</summary>
    public void Add(string sessionId, long lifetime)
    {
        Send((database, key) => database.SortedSetAddAsync(key, sessionId, Expiry(lifetime), flags: CommandFlags.FireAndForget));
        var swept = Volatile.Read(ref _swept);
        if (time.GetElapsedTime(swept) > SweepInterval && Interlocked.CompareExchange(ref _swept, time.GetTimestamp(), swept) == swept)
            Send((database, key) => database.ScriptEvaluateAsync(RedisScripts.Figures, [key], flags: CommandFlags.FireAndForget));
    }

    /// <summary>The life of a record is renewed.</summary>
    public void Renew(string sessionId, long lifetime) =>
        Send((database, key) => database.SortedSetAddAsync(key, sessionId, Expiry(lifetime), SortedSetWhen.Exists, CommandFlags.FireAndForget));

    /// <summary>A session has ended.</summary>
    public void Remove(string sessionId) => Send((database, key) => database.SortedSetRemoveAsync(key, sessionId, CommandFlags.FireAndForget));

    private long Expiry(long lifetime) => time.GetUtcNow().ToUnixTimeMilliseconds() + lifetime;

    private void Send(Func<IDatabase, RedisKey, Task> command)
    {
        try
        {
            redis.Send(command, redis.Keys.OpenSessions);
        }
        catch (Exception e) when (e is StoreUnavailableException or RedisException)
        {
            // The command of the session itself reports it.
        }
    }
}
