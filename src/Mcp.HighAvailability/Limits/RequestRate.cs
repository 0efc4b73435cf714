using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Limits;

/// <summary>How often one client may ask. Nothing at all while there is no limit.</summary>
/// <remarks>
/// An address of a private network is most likely that of a balancer or proxy, and of all clients behind it: the default does not count those.
/// </remarks>
/// <param name="perSecond">Requests per second of one client; 0: no limit; <see langword="null"/>: the default.</param>
/// <param name="burst">Requests that may come at once; default: twice as many.</param>
/// <param name="setting">The setting that the answer at the limit names.</param>
/// <param name="refusals">Answers and logs what is refused.</param>
/// <param name="time">When clients that are silent are forgotten.</param>
internal sealed class RequestRate(int? perSecond, int? burst, string setting, Refusals refusals, TimeProvider? time = null)
{
    /// <summary>Requests per second of one client if nothing else is said: no agent comes near.</summary>
    public const int Default = 1_000;

    private const string Unlimited = "";

    private readonly int _perSecond = perSecond ?? Default;

    private readonly ClientBuckets? _buckets =
        perSecond == 0 ? null : new(perSecond ?? Default, burst ?? 2 * (perSecond ?? Default), time ?? TimeProvider.System);

    /// <summary>Clients that have a limit and are remembered.</summary>
    public int Clients => _buckets?.Count ?? 0;

    public RequestDelegate Wrap(RequestDelegate next) => _buckets is not { } buckets ? next : context =>
    {
        if (KeyOf(context, all: perSecond is not null) is not { Length: > 0 } client)
            return next(context);

        // What the lease holds comes back with time alone.
        using var lease = buckets.Take(client);
        return lease.IsAcquired ? next(context) : refusals.TooManyAsync(
            context,
            $"more than {_perSecond.ToString(CultureInfo.InvariantCulture)} requests per second",
            setting,
            retryAfter: lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1));
    };

    // An IPv6 client has a whole /64 to itself.
    private static string KeyOf(HttpContext context, bool all) => UserKey.Of(context.User) is { Length: > 0 } user
        ? "user " + user
        : context.Connection.RemoteIpAddress switch
        {
            { } address when !all && IsPrivate(address) => Unlimited,
            { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } address => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
            { } address => address.MapToIPv4().ToString(),
            null => all ? "unknown" : Unlimited,
        };

    /// <summary>Whether an address is of this machine or of a network that is not the Internet (RFC 1918, 3927, 4193, 6598).</summary>
    public static bool IsPrivate(IPAddress address)
    {
        if (IPAddress.IsLoopback(address))
            return true;
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv4MappedToIPv6)
            return address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal;
        var bytes = address.MapToIPv4().GetAddressBytes();
        return (bytes[0], bytes[1]) switch
        {
            (10, _) or (127, _) or (192, 168) or (169, 254) => true,
            (172, >= 16 and < 32) => true,
            (100, >= 64 and < 128) => true,
            _ => false,
        };
    }
}
