using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting;

/// <summary>How long a process drains after SIGTERM, and how long its platform waits before it kills the process.</summary>
/// <param name="Setting">The environment variable that sets the drain time.</param>
/// <param name="Drain">Longest time that the process takes to end.</param>
public sealed record McpGracePeriodAnnotation(string Setting, TimeSpan Drain) : IResourceAnnotation
{
    private static readonly TimeSpan _margin = TimeSpan.FromSeconds(15);

    internal static McpGracePeriodAnnotation Server { get; } = new("HighAvailability__DrainTimeout", TimeSpan.FromSeconds(30));

    internal static McpGracePeriodAnnotation Balancer { get; } = new("Balancer__DrainTime", TimeSpan.FromSeconds(5));

    /// <summary>The grace period of the platform, longer than <see cref="Drain"/>: <c>stop_grace_period</c>, <c>terminationGracePeriodSeconds</c>.</summary>
    public TimeSpan Grace => Drain + _margin;
}

internal static class GracePeriod
{
    public static IResourceBuilder<ProjectResource> WithGracePeriod(this IResourceBuilder<ProjectResource> project, McpGracePeriodAnnotation period)
    {
        project.WithAnnotation(period);
        return project.ApplicationBuilder.ExecutionContext.IsPublishMode ? project.WithEnvironment(period.Setting, period.Drain.ToString("c")) : project;
    }
}
