using System.Collections.Frozen;
using System.Net;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>Address, scheme and host of a client, as relays tell them to replicas.</summary>
/// <remarks>
/// A relay replaces what its client sent. It tells what its own request says, so a peer passes on what a balancer has told it, and a balancer behind a
/// proxy passes on what ASP.NET Core's forwarded headers middleware has taken from that proxy.
/// </remarks>
internal static class ForwardedClient
{
    private const string For = "X-Forwarded-For";
    private const string Proto = "X-Forwarded-Proto";
    private const string Host = "X-Forwarded-Host";

    private static readonly string[] Names = [For, Proto, Host, "X-Forwarded-Port", "Forwarded"];
    private static readonly FrozenSet<string> All = Names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a header tells something about the client's connection.</summary>
    public static bool IsHeader(string name) => All.Contains(name);

    /// <summary>Tells a replica about the client of a request.</summary>
    public static void Write(HttpContext from, ReplicaCall to)
    {
        if (from.Connection.RemoteIpAddress is { } address)
            to.AddHeader(For, (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString());
        to.AddHeader(Proto, from.Request.Scheme);
        if (from.Request.Host.HasValue)
            to.AddHeader(Host, from.Request.Host.Value!);
    }

    /// <summary>Has a request look as it did when the relay received it.</summary>
    public static void Apply(HttpContext context)
    {
        var request = context.Request;
        if (IPAddress.TryParse(request.Headers[For].ToString(), out var address))
            (context.Connection.RemoteIpAddress, context.Connection.RemotePort) = (address, 0);
        var scheme = request.Headers[Proto].ToString();
        if (scheme == Uri.UriSchemeHttp || scheme == Uri.UriSchemeHttps)
            request.Scheme = scheme;
        if (request.Headers[Host].ToString() is { Length: > 0 } host)
            request.Host = new HostString(host);
        foreach (var name in Names)
            request.Headers.Remove(name);
    }
}
