using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Protocol;

/// <summary>The exchange that a request belongs to, as far as this process knows it. One object per request, also while the request is sent on.</summary>
internal sealed class ClientExchange
{
    private const int MaxReplicas = 16;

    private ClientExchange(ExchangeId id, IReadOnlyList<string> begunAt) => (Id, BegunAt) = (id, begunAt);

    /// <summary>The id that a relay or a load balancer has given; a new one if none has.</summary>
    public ExchangeId Id { get; }

    /// <summary>Replicas that may have begun to run it and did not answer, as the relays say (<see cref="HaHeaders.Begun"/>).</summary>
    public IReadOnlyList<string> BegunAt { get; }

    /// <summary>The call may have begun to run in this process.</summary>
    public bool HasBegun { get; set; }

    /// <summary>The exchange of a request; the first call reads the headers.</summary>
    public static ClientExchange Of(HttpContext context)
    {
        if (context.Features.Get<ClientExchange>() is { } known)
            return known;
        var headers = context.Request.Headers;
        var exchange = new ClientExchange(
            ExchangeId.TryRead(headers, out var given) ? given : ExchangeId.New(),
            headers.TryGetValue(HaHeaders.Begun, out var begunAt) ? ParseReplicas(begunAt) : []);
        context.Features.Set(exchange);
        return exchange;
    }

    /// <summary>Reads the value of <see cref="HaHeaders.Begun"/>.</summary>
    public static IReadOnlyList<string> ParseReplicas(string? value) =>
        value?.Split(',', MaxReplicas + 1, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Take(MaxReplicas).ToList() ?? [];
}
