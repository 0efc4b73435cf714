using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>
/// Refuses requests that a browser was tricked into: of a foreign <c>Host</c> (DNS rebinding) or a foreign <c>Origin</c>; and of users who cannot be
/// told apart.
/// </summary>
internal sealed partial class AccessGuard(HostRule hosts, OriginRule origins, string section, ILogger<AccessGuard> logger)
{
    public AccessGuard(IOptions<HighAvailabilityOptions> options, SelfReplica self, ILogger<AccessGuard> logger, IConfiguration? configuration = null)
        : this(
            new HostRule($"{options.Value.AllowedHosts};{Filtered(configuration)}", () => self.Describe()?.Address.Host),
            new OriginRule(options.Value.AllowedOrigins),
            HighAvailabilityOptions.SectionName,
            logger)
    {
    }

    public OriginRule Origins => origins;

    /// <summary>ASP.NET Core's own list of hosts, if there is one. Its <c>*</c> is what templates write into every application, and says nothing.</summary>
    public static string Filtered(IConfiguration? configuration) =>
        configuration?["AllowedHosts"] is { } hosts && !HostRule.Split(hosts).Contains("*") ? hosts : "";

    public RequestDelegate Wrap(RequestDelegate next) => context => Refusal(context) is { } refusal ? RefuseAsync(context, refusal) : next(context);

    private string? Refusal(HttpContext context)
    {
        var request = context.Request;
        if (!TrustedHops.IsTrusted(context) && !hosts.Allows(request.Host))
            return $"host '{HttpAnswers.Printable(request.Host.Value ?? "")}' is not allowed. The operator can add it to {section}:AllowedHosts.";
        if (!origins.Allows(request.Headers.Origin, request.Host))
            return $"origin '{HttpAnswers.Printable(request.Headers.Origin.ToString())}' is not allowed. The operator can add it to {section}:AllowedOrigins.";
        if (UserKey.IsMissing(context.User))
            return "the signed-in user has no subject, so the server cannot tell users apart. The operator can have the authentication handler add a 'sub' or" +
                " name identifier claim.";
        return null;
    }

    private Task RefuseAsync(HttpContext context, string refusal)
    {
        LogRefused(refusal);
        return HttpAnswers.ErrorAsync(context, StatusCodes.Status403Forbidden, JsonRpc.BadRequest, "Forbidden: " + refusal);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Request refused: {Refusal}")]
    private partial void LogRefused(string refusal);
}
