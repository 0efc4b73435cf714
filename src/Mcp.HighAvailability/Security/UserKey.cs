using System.Security.Claims;

namespace Mcp.HighAvailability.Security;

/// <summary>Tells users apart: issuer and subject, which stay the same when a token is refreshed.</summary>
internal static class UserKey
{
    public static string Of(ClaimsPrincipal? user)
    {
        if (user?.Identity?.IsAuthenticated != true)
            return "";
        return SubjectOf(user) is { } subject
            ? $"{subject.Issuer}\n{subject.Value}"
            : throw new InvalidOperationException("The user has no subject. The access guard must refuse such requests first.");
    }

    /// <summary>Whether the user has signed in without a subject.</summary>
    public static bool IsMissing(ClaimsPrincipal? user) => user?.Identity?.IsAuthenticated == true && SubjectOf(user) is null;

    private static Claim? SubjectOf(ClaimsPrincipal user) =>
        user.FindFirst(ClaimTypes.NameIdentifier) ?? user.FindFirst("sub") ?? user.FindFirst(ClaimTypes.Upn);

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
