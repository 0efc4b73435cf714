using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Arguments of the commit script, as <see cref="RedisSessionScripts.Commit"/> documents them. In the hot path: one array.</summary>
internal static class RedisCommit
{
    private const int Fixed = 8;
    private const int OfAppends = 2;
    private const int More = 6;

    public static RedisValue[] Arguments(SessionCommit commit, SessionStoreOptions options, DateTimeOffset now)
    {
        var onlyAppends = !commit.Touch && commit.Remove.Count == 0 && commit.Unread.Count == 0 && commit.Calls.Count == 0 && commit.State.Count == 0 &&
            commit.Handshake.Count == 0 && commit.TakeOverTook is null;
        var appends = commit.Append.Count;
        var more = appends == 0 ? Fixed : Fixed + OfAppends + appends;
        var arguments = new RedisValue[onlyAppends ? more : more + LengthOfMore(commit)];
        arguments[0] = commit.Epoch;
        arguments[1] = commit.Number;
        arguments[2] = commit.LastPosition;
        arguments[3] = options.JournalEntries;
        arguments[4] = options.JournalBytes;
        arguments[5] = RedisSessionStore.Lifetime(options);
        arguments[6] = commit.Owner;
        arguments[7] = appends;
        if (appends > 0)
        {
            var bytes = 0L;
            for (var i = 0; i < appends; i++)
            {
                bytes += commit.Append[i].Payload.Length;
                arguments[Fixed + OfAppends + i] = RedisJournalEntry.Write(commit.Append[i]);
            }

            arguments[Fixed] = commit.Append[0].Position;
            arguments[Fixed + 1] = bytes;
        }

        if (!onlyAppends)
            WriteMore(commit, arguments, more, commit.Touch ? Math.Max(1, (now - options.JournalAge).ToUnixTimeMilliseconds()) : 0);
        return arguments;
    }

    private static int LengthOfMore(SessionCommit commit) =>
        More + commit.Remove.Count + commit.Unread.Count + RedisChanges.Length(commit.Calls) + RedisChanges.Length(commit.State) + RedisChanges.Length(
            commit.Handshake) + (commit.TakeOverTook is null ? 0 : 1);

    private static void WriteMore(SessionCommit commit, RedisValue[] arguments, int at, long oldest)
    {
        arguments[at] = oldest;
        arguments[at + 1] = commit.Remove.Count;
        arguments[at + 2] = commit.Unread.Count;
        arguments[at + 3] = commit.Calls.Count;
        arguments[at + 4] = commit.State.Count;
        arguments[at + 5] = commit.Handshake.Count;
        at += More;
        for (var i = 0; i < commit.Remove.Count; i++)
            arguments[at++] = commit.Remove[i];
        for (var i = 0; i < commit.Unread.Count; i++)
            arguments[at++] = commit.Unread[i];
        at = RedisChanges.Write(commit.Calls, arguments, at);
        at = RedisChanges.Write(commit.State, arguments, at);
        at = RedisChanges.Write(commit.Handshake, arguments, at);
        if (commit.TakeOverTook is { } took)
            arguments[at] = RedisHops.Milliseconds(took);
    }
}
