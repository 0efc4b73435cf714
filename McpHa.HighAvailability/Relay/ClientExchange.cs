using Microsoft.AspNetCore.Http;

namespace McpHa.HighAvailability.Relay;

/// <summary>The exchange that a request belongs to, as far as this process knows it. One object per request, also while the request is sent on.</summary>
internal sealed class ClientExchange
{
    private ClientExchange(ExchangeId id) => Id = id;

    /// <summary>The id that a relay or a load balancer has given; a new one if none has.</summary>
    public ExchangeId Id { get; }

    /// <summary>The exchange of a request; the first call reads the header.</summary>
    public static ClientExchange Of(HttpContext context)
    {
        if (context.Features.Get<ClientExchange>() is { } known)
            return known;
        var exchange = new ClientExchange(ExchangeId.TryRead(context.Request.Headers, out var given) ? given : ExchangeId.New());
        context.Features.Set(exchange);
        return exchange;
    }
}
