using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mcp.HighAvailability.Security;

/// <summary>Pages of which origin may send requests. Programs send no <c>Origin</c> and are not meant.</summary>
/// <remarks>Pages from this machine, and pages of the very host that they ask, may always; but only those that are listed may read answers (CORS).</remarks>
/// <param name="allowed">Origins such as <c>https://app.example.com</c>, separated by semicolons; <c>*</c> for all.</param>
internal sealed class OriginRule(string? allowed)
{
    private readonly string[] _allowed = [.. HostRule.Split(allowed).Select(origin => origin.TrimEnd('/'))];

    public bool AnyListed => _allowed.Length > 0;

    /// <summary>Whether an entry of the list is one.</summary>
    public static bool IsWellFormed(string origin) =>
        origin is "*" or "null" || Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Host.Length > 0 && uri.PathAndQuery is "/" or "" &&
            uri.UserInfo.Length == 0;

    public bool Allows(StringValues origin, HostString host) =>
        origin.Count == 0 ||
        origin is [{ } single] && (IsListed(single) || Uri.TryCreate(single, UriKind.Absolute, out var uri) && (IsFromHere(uri) || IsSame(uri, host)));

    public bool IsListed(string origin) => _allowed.Any(a => a == "*" || a.Equals(origin, StringComparison.OrdinalIgnoreCase));

    private static bool IsFromHere(Uri origin) => origin.Scheme is "http" or "https" && HostRule.IsLoopback(origin.Host);

    // Without the scheme: TLS may end in front of us.
    private static bool IsSame(Uri origin, HostString host) =>
        origin.Scheme is "http" or "https" &&
        host.HasValue &&
        origin.Host.Trim('[', ']').Equals(host.Host.Trim('[', ']'), StringComparison.OrdinalIgnoreCase) &&
        (host.Port is { } port ? port == origin.Port : origin.IsDefaultPort);
}
