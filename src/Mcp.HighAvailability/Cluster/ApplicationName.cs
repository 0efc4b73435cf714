using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Finds the name that servers and balancers of one application share: the setting, otherwise the program's name without its role.</summary>
internal sealed partial class ApplicationName(
    IOptions<HighAvailabilityOptions> options, IConfiguration? configuration = null, IHostEnvironment? environment = null)
        : IPostConfigureOptions<ClusterOptions>
{
    private const string Setting = $"{HighAvailabilityOptions.SectionName}:{nameof(HighAvailabilityOptions.Application)}";

    public void PostConfigure(string? name, ClusterOptions cluster)
    {
        // A balancer does not bind the section of the servers.
        var application = options.Value.Application is { Length: > 0 } inCode ? inCode : configuration?[Setting];
        cluster.Application = application is { Length: > 0 } ? application.ToLowerInvariant() : Of(environment?.ApplicationName ?? "");
    }

    /// <summary>The application that a program belongs to: <c>Shop.Server</c> and <c>Shop.Balancer</c> both belong to <c>shop</c>.</summary>
    public static string Of(string program)
    {
        var name = Other().Replace(Role().Replace(program, ""), "-").Trim('-', '.', '_').ToLowerInvariant();
        return name.Length > 0 ? name[..Math.Min(name.Length, ClusterOptions.MaxApplicationLength)] : "default";
    }

    /// <summary>Whether a name may be a part of a key.</summary>
    public static bool IsValid(string name) => name.Length <= ClusterOptions.MaxApplicationLength && !Other().IsMatch(name);

    [GeneratedRegex(@"[._-]?(Server|Balancer)$", RegexOptions.IgnoreCase)]
    private static partial Regex Role();

    [GeneratedRegex("[^A-Za-z0-9._-]+")]
    private static partial Regex Other();
}
