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

    /// <summary>The user of a key, for what is run without a request of theirs: issuer and subject, none of the other claims.</summary>
    public static ClaimsPrincipal? ToPrincipal(string key)
    {
        if (key.IndexOf('\n', StringComparison.Ordinal) is not (>= 0 and var line))
            return null;
        var (issuer, subject) = (key[..line], key[(line + 1)..]);
        return new ClaimsPrincipal(new ClaimsIdentity(
            [new Claim(ClaimTypes.NameIdentifier, subject, ClaimValueTypes.String, issuer), new Claim("sub", subject, ClaimValueTypes.String, issuer)],
            authenticationType: "session"));
    }
}
