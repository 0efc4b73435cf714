using System.Security.Claims;
using System.Text.Json;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The request that opened a session, as far as the application's hooks want to know it.</summary>
internal sealed record SessionOpening(string Path, IReadOnlyDictionary<string, string> RouteValues, ClaimsPrincipal? User)
{
    private const int MaxClaimBytes = 16 * 1024;

    public static SessionOpening Of(HttpContext context) => new(
        context.Request.PathBase.Add(context.Request.Path).Value ?? "",
        context.Request.RouteValues
            .Where(static route => route.Value is not null)
            .ToDictionary(static route => route.Key, static route => route.Value!.ToString() ?? "", StringComparer.OrdinalIgnoreCase),
        context.User.Identity?.IsAuthenticated == true ? context.User : null);

    /// <summary>The recorded form, see <see cref="Storage.HandshakeKeys.Opening"/>.</summary>
    public ReadOnlyMemory<byte> Write(string sessionId, KeptIdentity identity)
    {
        var claims = identity.Protect(User, sessionId);
        return JsonSerializer.SerializeToUtf8Bytes(new Recorded(Path, new(RouteValues), claims.Length > MaxClaimBytes ? [] : claims));
    }

    /// <summary>Reads the recorded form. A session that was opened before there were hooks has none.</summary>
    public static SessionOpening Read(ReadOnlyMemory<byte>? bytes, string sessionId, string user, KeptIdentity identity) =>
        bytes is { } json && JsonSerializer.Deserialize<Recorded>(json.Span) is { } recorded
            ? new(
                recorded.Path,
                new Dictionary<string, string>(recorded.Routes, StringComparer.OrdinalIgnoreCase),
                identity.Unprotect(recorded.Claims, sessionId, user))
            : new("", new Dictionary<string, string>(), UserKey.ToPrincipal(user));

    private sealed record Recorded(string Path, Dictionary<string, string> Routes, byte[] Claims);
}
