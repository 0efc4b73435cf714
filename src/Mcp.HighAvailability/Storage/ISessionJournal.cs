namespace Mcp.HighAvailability.Storage;

/// <summary>Reads back what was sent to a client. Entries are written by commits of the session store, under its fence.</summary>
/// <remarks>Entries come in ascending position, each once. When the backend is away: throws <see cref="Storage.StoreUnavailableException"/>.</remarks>
public interface ISessionJournal
{
    /// <summary>Reads the entries of one stream, or of all, above a position.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="stream">The stream; entries of other streams are never returned. Empty: all streams.</param>
    /// <param name="after">Position to start behind; 0 for the start.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    IAsyncEnumerable<JournalEntry> ReadAsync(string sessionId, string stream, long after, CancellationToken cancellationToken = default);
}
