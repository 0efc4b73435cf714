using McpHa.HighAvailability.Sessions;

namespace McpHa.HighAvailability.Journal;

/// <summary>How far a journal is trimmed once it is above a bound.</summary>
/// <remarks>A sixteenth below the bound, so that a full journal is not trimmed again by the very next commit.</remarks>
internal static class JournalTrimming
{
    private const int Slack = 16;

    public static int Entries(SessionStoreOptions options) => options.JournalEntries - (options.JournalEntries / Slack);

    public static long Bytes(SessionStoreOptions options) => options.JournalBytes - (options.JournalBytes / Slack);

    /// <summary>Index of the first entry to keep: 0 within the bounds, otherwise as far as to get below them, never behind the newest.</summary>
    public static int FirstKept(IReadOnlyList<JournalEntry> journal, SessionStoreOptions options)
    {
        var bytes = 0L;
        for (var i = 0; i < journal.Count; i++)
            bytes += journal[i].Payload.Length;
        if (journal.Count <= options.JournalEntries && bytes <= options.JournalBytes)
            return 0;

        var first = 0;
        while (first < journal.Count - 1 && (journal.Count - first > Entries(options) || bytes > Bytes(options)))
            bytes -= journal[first++].Payload.Length;
        return first;
    }
}
