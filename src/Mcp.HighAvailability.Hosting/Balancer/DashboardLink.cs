using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Balancer;

/// <summary>Tells the balancer where the dashboard is.</summary>
internal static class DashboardLink
{
    // Aspire shows its dashboard at the addresses of the AppHost itself.
    private const string Addresses = "ASPNETCORE_URLS";

    /// <summary>Lets the cluster page link to the traces of a session in the dashboard. A published application has no dashboard.</summary>
    public static IResourceBuilder<ProjectResource> WithDashboardLink(this IResourceBuilder<ProjectResource> balancer)
    {
        var builder = balancer.ApplicationBuilder;
        var first = builder.Configuration[Addresses]?.Split(';')[0];
        return builder.ExecutionContext.IsRunMode && Uri.TryCreate(first, UriKind.Absolute, out var dashboard)
            ? balancer.WithEnvironment("Balancer__Dashboard", dashboard.ToString())
            : balancer;
    }
}
