using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Http;

/// <summary>Looks at the start whether <c>/health</c> tells load balancers and orchestrators when this replica drains.</summary>
internal sealed partial class HealthEndpointCheck(IEnumerable<EndpointDataSource> sources, ILogger<HealthEndpointCheck> logger) : IHostedLifecycleService
{
    private const string HealthPath = "health";

    // The name that ASP.NET Core's MapHealthChecks gives its endpoints.
    private const string HealthChecksName = "Health checks";

    /// <summary>Fails the start if several endpoints answer <c>GET /health</c>.</summary>
    /// <exception cref="InvalidOperationException">Several do: each probe would be answered with 500.</exception>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        var found = sources.SelectMany(static source => source.Endpoints).OfType<RouteEndpoint>().Where(AnswersHealth).Distinct().ToArray();
        if (found.Length > 1)
        {
            throw new InvalidOperationException(
                $"GET /health matches {found.Length} endpoints ({string.Join(", ", found.Select(NameOf))}), so every health probe would get 500. "
                + "Remove the application's own and keep app.MapHealthChecks(\"/health\"), which also reports that a replica drains; "
                + "or map one of them to another path.");
        }

        if (found is [var only] && only.DisplayName != HealthChecksName)
            LogNotOurs(NameOf(only));
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Endpoints that are for some hosts alone may share a path.
    private static bool AnswersHealth(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHostMetadata>() is not { Hosts.Count: > 0 }
        && string.Equals(endpoint.RoutePattern.RawText?.Trim('/'), HealthPath, StringComparison.OrdinalIgnoreCase)
        && (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is not { Count: > 0 } methods
            || methods.Contains(HttpMethods.Get, StringComparer.OrdinalIgnoreCase));

    private static string NameOf(Endpoint endpoint) => $"'{endpoint.DisplayName}'";

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "GET /health is answered by {Endpoint}, which does not report that this replica drains: load balancers go on sending to it until it stops. "
            + "Replace it by app.MapHealthChecks(\"/health\").")]
    private partial void LogNotOurs(string endpoint);
}
