using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Requests of a session that are in flight, and the exchanges that were lately answered. Plain data, part of <see cref="SessionCore"/>.</summary>
/// <param name="maxRemembered">Most answered exchanges that are kept.</param>
/// <param name="keep">How long an answered exchange is kept.</param>
/// <param name="time">The clock.</param>
internal sealed class CallTable(int maxRemembered, TimeSpan keep, TimeProvider time)
{
    private const int MaxWithdrawn = 32;

    private readonly Dictionary<string, OpenCall> _open = new(StringComparer.Ordinal);
    private Dictionary<ExchangeId, string>? _answered;
    private Queue<(ExchangeId Exchange, long At)>? _answeredOrder;
    private Queue<WithdrawnCall>? _withdrawn;

    public int Count => _open.Count;

    /// <summary>Counts the calls of all sessions.</summary>
    public CallCounter? InAll { get; set; }

    /// <summary>Bytes of the requests in flight.</summary>
    public long Bytes { get; private set; }

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

    public void Add(OpenCall call)
    {
        _open.Add(call.Stream.Id, call);
        Bytes += call.Body.Length;
        InAll?.Add(1);
    }

    public void Remove(OpenCall call)
    {
        if (!_open.Remove(call.Stream.Id))
            return;
        Bytes -= call.Body.Length;
        InAll?.Add(-1);
    }

    /// <summary>The session leaves this replica: its calls are in work here no longer.</summary>
    public void Leave()
    {
        InAll?.Add(-_open.Count);
        InAll = null;
    }

    public OpenCall? Find(string stream) => _open.GetValueOrDefault(stream);

    // A session has a handful of calls open at a time: looking through them beats a second index.
    public OpenCall? Find(ExchangeId exchange)
    {
        foreach (var call in _open.Values)
        {
            if (call.Exchange == exchange)
                return call;
        }

        return null;
    }

    /// <summary>The call with a client's id that began last. Clients use an id more than once.</summary>
    public OpenCall? FindNewest(RequestId clientId)
    {
        return _open.Values.Where(call => call.ClientId == clientId).MaxBy(Began);

        static (long Epoch, long Number) Began(OpenCall call)
        {
            var stream = new SseEventId(call.Stream.Id, 0);
            return (stream.Epoch, stream.Number);
        }
    }

    /// <summary>Remembers which stream answered an exchange, for when the exchange is repeated.</summary>
    public void Remember(ExchangeId exchange, string stream)
    {
        if (maxRemembered == 0)
            return;
        Forget();
        _answered ??= [];
        _answeredOrder ??= [];
        if (_answeredOrder.Count >= maxRemembered)
            _answered.Remove(_answeredOrder.Dequeue().Exchange);
        if (_answered.TryAdd(exchange, stream))
            _answeredOrder.Enqueue((exchange, time.GetTimestamp()));
    }

    /// <summary>The stream that answered an exchange; <see langword="null"/>: the exchange is not known, or was forgotten.</summary>
    public string? Recall(ExchangeId exchange)
    {
        Forget();
        return _answered?.GetValueOrDefault(exchange);
    }

    /// <summary>Calls that the client has cancelled, the oldest first.</summary>
    public IEnumerable<WithdrawnCall> Withdrawn => _withdrawn ?? Enumerable.Empty<WithdrawnCall>();

    /// <summary>Remembers a call that the client has cancelled: its stream has nothing left to send.</summary>
    /// <returns>The stream of the oldest one, if that is forgotten for it.</returns>
    public string? Withdraw(WithdrawnCall call)
    {
        _withdrawn ??= [];
        var forgotten = _withdrawn.Count >= MaxWithdrawn ? _withdrawn.Dequeue().Stream : null;
        _withdrawn.Enqueue(call);
        return forgotten;
    }

    public bool WasWithdrawn(string stream) => Withdrawn.Any(call => call.Stream == stream);

    public bool WasWithdrawn(ExchangeId exchange) => _withdrawn is not null && _withdrawn.Any(call => call.Exchange == exchange);

    /// <summary>Whether a cancellation has ended a call before.</summary>
    public bool HasCancelled(ExchangeId cancellation) => _withdrawn is not null && _withdrawn.Any(call => call.Cancellation == cancellation);

    /// <summary>The in-flight table as the store has to have it.</summary>
    public Dictionary<string, ReadOnlyMemory<byte>> InFlight()
    {
        Dictionary<string, ReadOnlyMemory<byte>> table = [];
        foreach (var call in Open)
        {
            table[call.Stream.Id] = new InFlightCall(call.Exchange, call.EarlierLosses, call.Body).ToBytes();
            foreach (var (question, answer) in call.StoredAnswers ?? [])
                table[question] = answer;
        }

        foreach (var (stream, exchange, cancellation) in Withdrawn)
            table[stream] = InFlightCall.Withdrawn(exchange, cancellation);
        return table;
    }

    private void Forget()
    {
        while (_answeredOrder?.TryPeek(out var oldest) == true && time.GetElapsedTime(oldest.At) > keep)
            _answered!.Remove(_answeredOrder.Dequeue().Exchange);
    }
}

/// <summary>A call that the client has cancelled.</summary>
/// <param name="Stream">Its stream.</param>
/// <param name="Exchange">The exchange that brought the call.</param>
/// <param name="Cancellation">The exchange that brought the cancellation.</param>
internal readonly record struct WithdrawnCall(string Stream, ExchangeId Exchange, ExchangeId Cancellation);
