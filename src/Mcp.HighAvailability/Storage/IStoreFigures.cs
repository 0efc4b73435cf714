namespace Mcp.HighAvailability.Storage;

/// <summary>Figures of the store, for display. Nothing depends on them.</summary>
/// <remarks>When the backend is away it throws <see cref="StoreUnavailableException"/>.</remarks>
public interface IStoreFigures
{
    /// <summary>Reads the figures as they are now.</summary>
    ValueTask<StoreFigures> ReadAsync(CancellationToken cancellationToken = default);
}

/// <summary>Figures of the store.</summary>
/// <param name="Sessions">Sessions that have a record, with or without an owner that is alive. May be off by a few.</param>
public sealed record StoreFigures(long Sessions)
{
    /// <summary>Bytes of memory that the store uses; <see langword="null"/> if it does not say.</summary>
    public long? MemoryUsed { get; init; }

    /// <summary>Bytes of memory that the store may use; <see langword="null"/> without a limit, or if it does not say.</summary>
    public long? MemoryLimit { get; init; }
}
