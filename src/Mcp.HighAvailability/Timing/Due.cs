namespace Mcp.HighAvailability.Timing;

/// <summary>An item that waits in a <see cref="DueQueue{T}"/>.</summary>
internal sealed class Due<T>(T item) where T : class
{
    private T? _item = item;

    /// <summary>The item; <see langword="null"/> when it was removed.</summary>
    public T? Item => Volatile.Read(ref _item);

    /// <summary>Removes the item. Its place in the queue stays empty until it is due.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove() => Interlocked.Exchange(ref _item, null) is not null;
}
