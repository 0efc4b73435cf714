namespace McpHa.HighAvailability.Sessions;

/// <summary>How long and how much of a session is kept.</summary>
public sealed class SessionStoreOptions
{
    /// <summary>A session that nobody used for this long is removed. Default: 2 hours.</summary>
    /// <remarks>
    /// Owners end their idle sessions on time. What has no owner any more is removed by the store, twice this time after the last
    /// creation, take-over, write-back or <see cref="SessionCommit.Touch"/>; so owners touch the sessions in use at least once in this time.
    /// </remarks>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromHours(2);

    /// <summary>How long the mark of an ended session is kept. Default: 1 hour.</summary>
    public TimeSpan EndedRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Most journal entries kept per session; the oldest go first, a few at a time. Default: 1,000.</summary>
    public int JournalEntries { get; set; } = 1_000;

    /// <summary>Most payload bytes kept in a session's journal; the oldest go first, a few at a time; the newest entry always stays. Default: 8 MiB.</summary>
    public long JournalBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>Journal entries older than this are removed when the session is next touched; the newest entry always stays. Default: 1 hour.</summary>
    public TimeSpan JournalAge { get; set; } = TimeSpan.FromHours(1);
}
