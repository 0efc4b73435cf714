namespace Mcp.HighAvailability.Storage;

/// <summary>How long and how much of a session is kept.</summary>
public sealed class SessionStoreOptions
{
    /// <summary>A session that was not used for this long is removed. Default: 2 hours.</summary>
    /// <remarks>
    /// Owners end their idle sessions on time. What has no owner any more is removed by the store, twice this time after the last
    /// take-over, first use, write-back or <see cref="SessionCommit.Touch"/>; so owners touch the sessions in use at least once in this time.
    /// </remarks>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromHours(2);

    /// <summary>
    /// A session that was opened and never used is removed after this time. Every message after the first <c>notifications/initialized</c> is a use, and
    /// so is a stream. Default: 10 minutes.
    /// </summary>
    public TimeSpan UnusedTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a session may be idle, by whether it was ever used.</summary>
    internal TimeSpan IdleTimeoutOf(bool used) => used || UnusedTimeout > IdleTimeout ? IdleTimeout : UnusedTimeout;

    /// <summary>How long the mark of an ended session is kept. Default: 1 hour.</summary>
    public TimeSpan EndedRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Most journal entries kept per session; the oldest go first, a few at a time. The newest entry stays, and so do answers that no client has
    /// read yet, beyond the bound too. Default: 1,000.
    /// </summary>
    public int JournalEntries { get; set; } = 1_000;

    /// <summary>
    /// Most payload bytes kept in a session's journal, trimmed as <see cref="JournalEntries"/> are. Also the bytes of a session that may wait for a
    /// store that is away, as <see cref="HighAvailabilityOptions.PendingEntries"/> says. Unread answers may take up to four times as much. Default: 8 MiB.
    /// </summary>
    public long JournalBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>Journal entries older than this are removed when the session is next touched; the newest entry always stays. Default: 1 hour.</summary>
    public TimeSpan JournalAge { get; set; } = TimeSpan.FromHours(1);
}
