using System.Text.Json;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>Does for other replicas of the cluster what they ask of sessions here.</summary>
/// <remarks>
/// In front of the application's pipeline, as <see cref="ProbeEndpoint"/>. Only a request with this replica's key is for it: relays pass the header
/// on from no client, and the key is in the registry alone.
/// </remarks>
internal sealed class PeerEndpoint(SelfReplica self, SessionDelivery delivery) : IStartupFilter
{
    /// <summary>Fixed path at a replica's address.</summary>
    public const string Path = "/.well-known/mcp-ha-sessions";

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(inner => context => IsPeer(context.Request) ? AnswerAsync(context) : inner(context));
        next(app);
    };

    private bool IsPeer(HttpRequest request) =>
        request.Headers.TryGetValue(HaHeaders.Peer, out var keys) && HttpMethods.IsPost(request.Method) &&
        request.Path.Equals(Path, StringComparison.Ordinal) &&
        keys is [{ } key] && self.IsHopKey(key);

    private async Task AnswerAsync(HttpContext context)
    {
        TelemetryServices.LeaveOutOfTraces();
        PeerRequest? request = null;
        try
        {
            request = await context.Request.ReadFromJsonAsync(PeerJson.Default.PeerRequest, context.RequestAborted);
        }
        catch (JsonException)
        {
            // A newer version asks for something that this one does not know.
        }

        if (request is null)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        var answer = await delivery.HandleAsync(request, context.RequestAborted);
        await context.Response.WriteAsJsonAsync(answer, PeerJson.Default.PeerAnswer, cancellationToken: context.RequestAborted);
    }
}
