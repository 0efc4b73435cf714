using System.Security.Claims;

namespace McpHa.HighAvailability.Http;

/// <summary>Tells users apart: issuer and subject, which stay the same when a token is refreshed.</summary>
internal static class UserKey
{
    public static string Of(ClaimsPrincipal? user)
    {
        if (user?.Identity?.IsAuthenticated != true)
            return "";
        var subject = user.FindFirst(ClaimTypes.NameIdentifier) ?? user.FindFirst("sub") ?? user.FindFirst(ClaimTypes.Upn);
        return subject is null
            ? throw new InvalidOperationException("The authenticated user has no subject: let the authentication handler add a 'sub' or name identifier claim, so that sessions can be bound to users.")
            : $"{subject.Issuer}\n{subject.Value}";
    }
}
