using System.Globalization;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using McpHa.HighAvailability.Http;
using Microsoft.AspNetCore.Http;

namespace McpHa.HighAvailability.Limits;

/// <summary>How often one client may ask. Nothing at all while there is no limit.</summary>
/// <param name="perSecond">Requests per second of one client; 0: no limit.</param>
/// <param name="burst">Requests that may come at once; default: twice as many.</param>
/// <param name="setting">The setting to name to whoever meets the limit.</param>
internal sealed class RequestRate(int perSecond, int? burst, string setting) : IDisposable
{
    private readonly PartitionedRateLimiter<HttpContext>? _limiter = perSecond == 0 ? null : PartitionedRateLimiter.Create<HttpContext, string>(context =>
        RateLimitPartition.GetTokenBucketLimiter(KeyOf(context), _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = burst ?? 2 * perSecond,
            TokensPerPeriod = perSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        }));

    public RequestDelegate Wrap(RequestDelegate next) => _limiter is not { } limiter ? next : context =>
    {
        // What the lease holds comes back with time alone.
        using var lease = limiter.AttemptAcquire(context);
        return lease.IsAcquired ? next(context) : HttpAnswers.TooManyAsync(
            context,
            $"more than {perSecond.ToString(CultureInfo.InvariantCulture)} requests per second ({setting}).",
            retryAfter: lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1));
    };

    public void Dispose() => _limiter?.Dispose();

    // An IPv6 client has a whole /64 to itself.
    private static string KeyOf(HttpContext context) => UserKey.Of(context.User) is { Length: > 0 } user
        ? "user " + user
        : context.Connection.RemoteIpAddress switch
        {
            { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } address => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
            { } address => address.MapToIPv4().ToString(),
            null => "",
        };
}
