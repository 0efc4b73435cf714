using System.Runtime.CompilerServices;

namespace Mcp.HighAvailability.Storage;

/// <summary>Reads the journals that <see cref="InMemorySessionStore"/> writes.</summary>
internal sealed class InMemorySessionJournal(InMemorySessions sessions) : ISessionJournal
{
    public async IAsyncEnumerable<JournalEntry> ReadAsync(
        string sessionId,
        string stream,
        long after,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        JournalEntry[] entries = [];
        if (sessions.TryGet(sessionId, out var session))
        {
            lock (session)
                entries = session.Read(stream, after);
        }

        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return entry;
        }
    }
}
