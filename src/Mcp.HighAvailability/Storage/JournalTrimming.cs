namespace Mcp.HighAvailability.Storage;

/// <summary>How far a journal is trimmed once it is above a bound.</summary>
/// <remarks>
/// <para>A sixteenth below the bound, so that a full journal is not trimmed again by the very next commit.</para>
/// <para>
/// Invariant: an answer that no client has read is not removed while anything else can be. Its owner knows which answers these are
/// (<see cref="SessionCommit.Unread"/>). They may exceed the bounds, and are bounded by the owner.
/// </para>
/// </remarks>
internal static class JournalTrimming
{
    private const int Slack = 16;

    public static int Entries(SessionStoreOptions options) => options.JournalEntries - (options.JournalEntries / Slack);

    public static long Bytes(SessionStoreOptions options) => options.JournalBytes - (options.JournalBytes / Slack);

    /// <summary>
    /// The entries to keep: all within the bounds, otherwise as many as get below them. The oldest go first; the newest entry and those of
    /// <paramref name="unread"/> stay.
    /// </summary>
    public static IReadOnlyList<JournalEntry> Kept(IReadOnlyList<JournalEntry> journal, SessionStoreOptions options, IReadOnlyList<long> unread)
    {
        var (count, bytes) = (journal.Count, 0L);
        for (var i = 0; i < journal.Count; i++)
            bytes += journal[i].Payload.Length;
        if (count <= options.JournalEntries && bytes <= options.JournalBytes)
            return journal;

        var (kept, lasting) = (new List<JournalEntry>(count), new HashSet<long>(unread));
        for (var i = 0; i < journal.Count; i++)
        {
            var entry = journal[i];
            if (i == journal.Count - 1 || lasting.Contains(entry.Position) || count <= Entries(options) && bytes <= Bytes(options))
                kept.Add(entry);
            else
                (count, bytes) = (count - 1, bytes - entry.Payload.Length);
        }

        return kept;
    }
}
