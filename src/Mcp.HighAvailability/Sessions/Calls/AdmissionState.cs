using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// Whether calls may begin while a session is about to move, and the requests that wait for it. Plain data, part of <see cref="SessionCore"/>.
/// </summary>
internal sealed class AdmissionState
{
    private List<WaitingRequest>? _waiting;

    /// <summary>New calls wait.</summary>
    public bool Paused { get; set; }

    /// <summary>Calls that must not run twice wait: they might be broken off here.</summary>
    public bool HoldsOnce { get; set; }

    /// <summary>The session drains as soon as it has no call in flight.</summary>
    public bool DrainsWhenQuiet { get; set; }

    /// <summary>The session drains because of <see cref="DrainsWhenQuiet"/>.</summary>
    public bool DrainedQuiet { get; set; }

    /// <summary>Requests that wait.</summary>
    public int Waiting => _waiting?.Count ?? 0;

    /// <summary>Adds a request, in the order of its arrival.</summary>
    public WaitingRequest Wait(RequestId id, ExchangeId exchange)
    {
        var request = new WaitingRequest(id, exchange);
        (_waiting ??= []).Add(request);
        return request;
    }

    /// <summary>Ends the wait of a request.</summary>
    public void Leave(WaitingRequest request) => _waiting?.Remove(request);

    /// <summary>Withdraws the newest request with an id that waits, and what repeats it; <see langword="false"/> when none waits.</summary>
    public bool Withdraw(RequestId id)
    {
        if (_waiting?.FindLast(request => request.Id == id && !request.Withdrawn) is not { } newest)
            return false;
        foreach (var request in _waiting.Where(request => request.Exchange == newest.Exchange))
            request.Withdrawn = true;
        return true;
    }
}

/// <summary>A request that has arrived and waits until the session stays or has moved.</summary>
internal sealed class WaitingRequest(RequestId id, ExchangeId exchange)
{
    public RequestId Id => id;

    public ExchangeId Exchange => exchange;

    /// <summary>The client has cancelled it.</summary>
    public bool Withdrawn { get; set; }
}
