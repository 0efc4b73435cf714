using Mcp.HighAvailability.Relay;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>
/// What happens between SIGTERM and the end: for a while nothing but that <c>/health</c> says so and that responses close their connections, so that
/// whatever is in front sends new requests elsewhere; then the server takes no more connections, and streams end that clients can resume
/// through another balancer. The rest may finish until <see cref="HostOptions.ShutdownTimeout"/>.
/// </summary>
/// <remarks>Streams end last: a client comes back for one at once, and must not come back here.</remarks>
internal sealed partial class BalancerDrain(Relay.Relay relay, TimeProvider time, IOptions<BalancerOptions> options, ILogger<BalancerDrain> logger)
    : IHostedLifecycleService, IHealthCheck
{
    private volatile bool _draining;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_draining ? HealthCheckResult.Unhealthy("This balancer shuts down.") : HealthCheckResult.Healthy());

    /// <summary>Has the client open another connection for its next request, while this balancer drains.</summary>
    public void Mark(HttpContext context)
    {
        if (_draining && HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _draining = true;
        LogDraining(options.Value.DrainTime);
        await Task.Delay(options.Value.DrainTime, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        relay.EndStreams();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining: this balancer stops taking connections in {DrainTime}. /health already answers 503.")]
    private partial void LogDraining(TimeSpan drainTime);
}
