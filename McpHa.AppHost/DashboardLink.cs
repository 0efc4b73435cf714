using Aspire.Hosting.ApplicationModel;

namespace McpHa.AppHost;

/// <summary>Where the balancer finds the dashboard.</summary>
internal static class DashboardLink
{
    // Aspire shows its dashboard at the addresses that are this application's own.
    private const string Addresses = "ASPNETCORE_URLS";

    /// <summary>Lets the cluster page link to the traces of a session in the dashboard. A published application has none.</summary>
    public static IResourceBuilder<ProjectResource> WithDashboardLink(this IResourceBuilder<ProjectResource> balancer)
    {
        var builder = balancer.ApplicationBuilder;
        var first = builder.Configuration[Addresses]?.Split(';')[0];
        return builder.ExecutionContext.IsRunMode && Uri.TryCreate(first, UriKind.Absolute, out var dashboard)
            ? balancer.WithEnvironment("Balancer__Dashboard", dashboard.ToString())
            : balancer;
    }
}
