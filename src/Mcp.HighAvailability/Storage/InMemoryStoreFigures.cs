namespace Mcp.HighAvailability.Storage;

/// <summary>Counts the sessions of this process.</summary>
internal sealed class InMemoryStoreFigures(InMemorySessions sessions) : IStoreFigures
{
    public ValueTask<StoreFigures> ReadAsync(CancellationToken cancellationToken = default) => new(new StoreFigures(sessions.CountOpen()));
}
