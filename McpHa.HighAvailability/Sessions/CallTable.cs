using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Requests of a session that are in flight, and those that were lately answered. Guarded by the session's gate.</summary>
internal sealed class CallTable(int remembered)
{
    private const int MostWithdrawn = 32;

    private readonly Dictionary<string, OpenCall> _open = new(StringComparer.Ordinal);
    private Dictionary<CallKey, string>? _answered;
    private Queue<CallKey>? _answeredOrder;
    private Queue<(string Stream, CallKey Key)>? _withdrawn;

    public int Count => _open.Count;

    /// <summary>Calls that run, without those that await their caller.</summary>
    public bool AnyRunning
    {
        get
        {
            foreach (var call in _open.Values)
            {
                if (!call.AwaitsCaller)
                    return true;
            }

            return false;
        }
    }

    public IReadOnlyCollection<OpenCall> Open => _open.Values;

    public void Add(OpenCall call) => _open.Add(call.Stream.Id, call);

    public void Remove(OpenCall call) => _open.Remove(call.Stream.Id);

    public OpenCall? Find(string stream) => _open.GetValueOrDefault(stream);

    // A session has a handful of calls open at a time: looking through them beats a second index.
    public OpenCall? Find(CallKey key)
    {
        foreach (var call in _open.Values)
        {
            if (call.Key == key)
                return call;
        }

        return null;
    }

    public IEnumerable<OpenCall> FindAll(RequestId clientId) => _open.Values.Where(c => c.ClientId == clientId);

    /// <summary>Remembers which stream answered a request, for when the request is repeated.</summary>
    public void Remember(CallKey key, string stream)
    {
        if (remembered == 0)
            return;
        _answered ??= [];
        _answeredOrder ??= [];
        if (_answeredOrder.Count >= remembered)
            _answered.Remove(_answeredOrder.Dequeue());
        if (_answered.TryAdd(key, stream))
            _answeredOrder.Enqueue(key);
    }

    public string? Recall(CallKey key) => _answered?.GetValueOrDefault(key);

    /// <summary>Calls that the client has cancelled, the oldest first.</summary>
    public IEnumerable<(string Stream, CallKey Key)> Withdrawn => _withdrawn ?? Enumerable.Empty<(string, CallKey)>();

    /// <summary>Remembers a call that the client has cancelled: nothing is left to be sent on its stream. Returns one that is forgotten for it.</summary>
    public string? Withdraw(string stream, CallKey key)
    {
        _withdrawn ??= [];
        var forgotten = _withdrawn.Count >= MostWithdrawn ? _withdrawn.Dequeue().Stream : null;
        _withdrawn.Enqueue((stream, key));
        return forgotten;
    }

    public bool WasWithdrawn(string stream) => Withdrawn.Any(call => call.Stream == stream);

    public bool WasWithdrawn(CallKey key) => _withdrawn is not null && _withdrawn.Any(call => call.Key == key);
}
