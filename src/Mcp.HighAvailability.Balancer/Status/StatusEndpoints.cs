using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Balancer.Status.Page;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Endpoints for operators: the cluster page, its JSON, its runbook and Prometheus text, the lookup of sessions, operations.</summary>
internal sealed class StatusEndpoints(
    StatusReport report, SessionTrails trails, OperatorKey key, OperationsEndpoint operations, TimeProvider time, IHostApplicationLifetime lifetime,
    IOptions<BalancerOptions> options, ILogger<StatusEndpoints> logger, IEventBus? bus = null)
{
    // An id and its name.
    private const int MaxLookupBytes = 1024;

    private readonly StatusPage _page = new(key.IsSet, trails.IsPossible);

    /// <summary>Maps all of it.</summary>
    /// <param name="endpoints">Where to.</param>
    /// <param name="protect">Refuses what browsers were tricked into, and too many.</param>
    /// <param name="relayed">Serves what is not meant for the page.</param>
    /// <param name="metrics">Writes the metrics of this process; <see langword="null"/> without them.</param>
    public void Map(IEndpointRouteBuilder endpoints, Func<RequestDelegate, RequestDelegate> protect, RequestDelegate relayed, RequestDelegate? metrics)
    {
        if (key.IsSet && bus is null)
            throw new InvalidOperationException("Balancer:Operations:Key needs an event bus. Call builder.Services.AddRedisReplicaRegistry(), or leave the " +
                "key out.");

        var place = StatusPlace.Of(endpoints, options.Value.StatusAddress);
        var frames = new LiveFrames(() => _page.RenderEvent(report.Take()), time, lifetime.ApplicationStopping, logger);
        var json = Untraced(async context => await StatusPage.WriteJsonAsync(context, await report.TakeAsync()));
        var html = Untraced(async context => await _page.WriteHtmlAsync(context, await report.TakeAsync()));
        endpoints.MapGet("/", Here(context => StatusFormats.Of(context.Request) switch
        {
            StatusFormat.Html => html(context),
            StatusFormat.Json => json(context),
            _ => relayed(context), // an MCP client whose server is mapped to the root
        }));
        endpoints.MapGet("/status.json", Here(json));
        endpoints.MapGet("/status/events", Here(Untraced(frames.ServeAsync)));
        endpoints.MapGet("/status/runbook", Here(Untraced(StatusPage.WriteRunbookAsync)));
        if (trails.IsPossible)
            endpoints.MapPost("/status/session", Here(Untraced(LookUpAsync)));
        endpoints.MapPost("/operations/replicas/{name}/drain", Here(context => operations.HandleAsync(context, ReplicaOperation.Drain)));
        endpoints.MapPost("/operations/replicas/{name}/resume", Here(context => operations.HandleAsync(context, ReplicaOperation.Resume)));
        if (options.Value.Metrics && metrics is not null)
            endpoints.MapGet("/metrics", Here(Untraced(metrics)));

        RequestDelegate Here(RequestDelegate serve)
        {
            var guarded = protect(serve);
            return context => place.IsMeant(context) ? guarded(context) : relayed(context);
        }
    }

    // The page asks every second: its requests would hide the others in the traces.
    private static RequestDelegate Untraced(RequestDelegate serve) => context =>
    {
        TelemetryServices.LeaveOutOfTraces();
        return serve(context);
    };

    private async Task LookUpAsync(HttpContext context)
    {
        if (await ReadIdAsync(context) is not { } id)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            await context.Response.WriteAsync("Send the session id as the form field 'id', and nothing else.");
            return;
        }

        var answer = await trails.FindAsync(id, context.RequestAborted);
        if (answer.State == LookupStates.Away)
            context.Response.Headers.RetryAfter = "1";
        context.Response.StatusCode = answer.State switch
        {
            LookupStates.Unknown => StatusCodes.Status404NotFound,
            LookupStates.Invalid => StatusCodes.Status400BadRequest,
            LookupStates.Away => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status200OK,
        };
        if (StatusFormats.Of(context.Request) is StatusFormat.Json)
            await StatusPage.WriteJsonAsync(context, answer);
        else
            await _page.WriteHtmlAsync(context, await report.TakeAsync(), answer);
    }

    // Null: it cannot be read as a form.
    private static async ValueTask<string?> ReadIdAsync(HttpContext context)
    {
        if (!context.Request.HasFormContentType || context.Request.ContentLength is not <= MaxLookupBytes)
            return null;
        try
        {
            return (await context.Request.ReadFormAsync(context.RequestAborted))["id"].ToString().Trim();
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return null;
        }
    }
}
