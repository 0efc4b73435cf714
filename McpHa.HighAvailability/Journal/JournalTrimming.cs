using McpHa.HighAvailability.Sessions;

namespace McpHa.HighAvailability.Journal;

/// <summary>How far a journal is trimmed once it is above a bound.</summary>
/// <remarks>A sixteenth below the bound, so that a full journal is not trimmed again by the very next commit.</remarks>
internal static class JournalTrimming
{
    private const int Slack = 16;

    public static int Entries(SessionStoreOptions options) => options.JournalEntries - (options.JournalEntries / Slack);

    public static long Bytes(SessionStoreOptions options) => options.JournalBytes - (options.JournalBytes / Slack);
}
