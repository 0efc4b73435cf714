using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Sessions;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Arguments of the commit script, as <see cref="RedisScripts.Commit"/> documents them. In the hot path: one array.</summary>
internal static class RedisCommit
{
    private const int Fixed = 14;

    public static RedisValue[] Arguments(SessionCommit commit, SessionStoreOptions options, DateTimeOffset now)
    {
        var arguments = new RedisValue[Length(commit)];
        arguments[0] = commit.Epoch;
        arguments[1] = commit.Number;
        arguments[2] = commit.LastPosition;
        arguments[3] = options.JournalEntries;
        arguments[4] = options.JournalBytes;
        arguments[5] = JournalTrimming.Entries(options);
        arguments[6] = JournalTrimming.Bytes(options);
        arguments[7] = RedisSessionStore.Lifetime(options);
        arguments[8] = commit.Touch ? Math.Max(1, (now - options.JournalAge).ToUnixTimeMilliseconds()) : 0;
        arguments[9] = commit.Append.Count;
        arguments[10] = commit.Remove.Count;
        arguments[11] = commit.Calls.Count;
        arguments[12] = commit.State.Count;
        arguments[13] = commit.Handshake.Count;

        var at = Fixed;
        for (var i = 0; i < commit.Append.Count; i++, at += RedisJournalEntry.Arguments)
            RedisJournalEntry.Write(commit.Append[i], arguments.AsSpan(at));
        for (var i = 0; i < commit.Remove.Count; i++)
            arguments[at++] = commit.Remove[i];
        at = RedisChanges.Write(commit.Calls, arguments, at);
        at = RedisChanges.Write(commit.State, arguments, at);
        RedisChanges.Write(commit.Handshake, arguments, at);
        return arguments;
    }

    private static int Length(SessionCommit commit) =>
        Fixed + (commit.Append.Count * RedisJournalEntry.Arguments) + commit.Remove.Count
        + RedisChanges.Length(commit.Calls) + RedisChanges.Length(commit.State) + RedisChanges.Length(commit.Handshake);
}
