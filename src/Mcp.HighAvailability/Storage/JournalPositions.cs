namespace Mcp.HighAvailability.Storage;

/// <summary>The one rule for positions that every backend checks: they ascend and are never used twice.</summary>
internal static class JournalPositions
{
    /// <exception cref="ArgumentException">The positions do not ascend.</exception>
    public static void ThrowIfNotAscending(IReadOnlyList<JournalEntry> entries)
    {
        var previous = 0L;
        for (var i = 0; i < entries.Count; i++)
        {
            var position = entries[i].Position;
            if (position <= previous)
                throw new ArgumentException($"Journal positions must be positive and ascend, but {position} follows {previous}.");
            previous = position;
        }
    }

    public static ArgumentException Taken(string sessionId) =>
        new($"A journal position was used before in session '{sessionId}'. Positions go on from SessionRecord.LastPosition.");
}
