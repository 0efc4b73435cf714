using System.Net;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Security;

/// <summary>Which <c>Host</c> a request may name: the defence against DNS rebinding.</summary>
/// <remarks>
/// A page that rebinds its own domain to this machine still names that domain in <c>Host</c>. That is impossible with an IP address, a loopback name or
/// a name without a dot, so these are always allowed; every other name has to be listed.
/// </remarks>
/// <param name="allowed">Host names, separated by semicolons; <c>*.example.com</c> for all below, <c>*</c> for all.</param>
/// <param name="own">Host of the address at which this process is known to its peers.</param>
internal sealed class HostRule(string? allowed, Func<string?>? own = null)
{
    private readonly string[] _allowed = Split(allowed);
    private string _lastAllowed = "";

    public static string[] Split(string? list) => list?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>Whether a name means this machine for every client.</summary>
    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ||
        host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) ||
        AddressOf(host) is { } address && IPAddress.IsLoopback(address);

    public bool Allows(HostString host)
    {
        if (!host.HasValue || ReferenceEquals(host.Value, Volatile.Read(ref _lastAllowed)) || host.Value == _lastAllowed)
            return true;
        if (!Allows(host.Host.TrimEnd('.')))
            return false;
        Volatile.Write(ref _lastAllowed, host.Value);
        return true;
    }

    private bool Allows(string host) =>
        !host.Contains('.', StringComparison.Ordinal) ||
        AddressOf(host) is not null ||
        IsLoopback(host) ||
        _allowed.Any(pattern => Matches(pattern, host)) ||
        host.Equals(own?.Invoke(), StringComparison.OrdinalIgnoreCase);

    private static bool Matches(string pattern, string host) =>
        pattern == "*" ||
        pattern.Equals(host, StringComparison.OrdinalIgnoreCase) ||
        pattern.StartsWith("*.", StringComparison.Ordinal) && host.EndsWith(pattern[1..], StringComparison.OrdinalIgnoreCase);

    private static IPAddress? AddressOf(string host) => IPAddress.TryParse(host.Trim('[', ']'), out var address) ? address : null;
}
