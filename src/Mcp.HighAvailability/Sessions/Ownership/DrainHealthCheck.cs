using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Tells load balancers that look at the health of replicas that this one drains, before it stops to take connections.</summary>
internal sealed class DrainHealthCheck(SelfReplica self) : IHealthCheck
{
    public const string Name = "draining";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(self.Stays ? HealthCheckResult.Unhealthy("This replica is drained by an operator. It takes no sessions until it is resumed.")
            : self.Draining ? HealthCheckResult.Unhealthy("This replica shuts down and hands its sessions over.") : HealthCheckResult.Healthy());
}
