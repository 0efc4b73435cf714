using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>
/// Cancellations of requests that are not here. One may have overtaken its request: both are held while a session has no owner, and nobody
/// keeps their order. Guarded by the session's gate.
/// </summary>
/// <remarks>Forgotten after as long as a request may be held. A client must not use an id twice within a session, so none but the cancelled request is met.</remarks>
internal sealed class EarlyCancellations(TimeProvider time, TimeSpan keep)
{
    private const int Most = 64;

    private Queue<(RequestId Id, long At)>? _ids;

    public void Add(RequestId id)
    {
        // A cancellation is tried again as long as the store is away.
        if (id.Id is null || Contains(id))
            return;
        _ids ??= [];
        if (_ids.Count >= Most)
            _ids.Dequeue();
        _ids.Enqueue((id, time.GetTimestamp()));
    }

    /// <summary>Whether the client has cancelled a request that arrives only now.</summary>
    public bool Contains(RequestId id)
    {
        while (_ids?.TryPeek(out var oldest) == true && time.GetElapsedTime(oldest.At) > keep)
            _ids.Dequeue();
        return _ids?.Any(cancelled => cancelled.Id == id) == true;
    }
}
