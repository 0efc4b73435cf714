using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Operations;

/// <summary>Has replicas drained and resumed, for operators who have the key.</summary>
/// <remarks>
/// The replica is asked over the event bus, again and again until its heartbeat says that it has done it: so it need not be reachable for more than it
/// is anyway, and no other way into it exists. A browser sends the key only from the page itself: it is in a header, never in a cookie.
/// </remarks>
internal sealed partial class OperationsEndpoint(
    ReplicaDirectory directory, OperatorKey key, TimeProvider time, ILogger<OperationsEndpoint> logger, IEventBus? bus = null)
{
    private static readonly TimeSpan OperationTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    /// <summary>Answers <c>POST /operations/replicas/{name}/drain</c> and <c>…/resume</c>.</summary>
    public async Task HandleAsync(HttpContext context, ReplicaOperation operation)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!key.IsSet || bus is null)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "Operations are off at this balancer. The operator can set Balancer:Operations:Key.");
            return;
        }

        if (!key.Allows(context.Request.Headers.Authorization))
        {
            LogRefused(context.Connection.RemoteIpAddress?.ToString() ?? "", operation);
            context.Response.Headers.WWWAuthenticate = "Bearer";
            await RefuseAsync(context, StatusCodes.Status401Unauthorized, "Send the operators' key (Balancer:Operations:Key) as 'Authorization: Bearer …'.");
            return;
        }

        var name = (string)context.Request.RouteValues["name"]!;
        var found = Find(name);
        if (found.Count != 1)
        {
            var alive = string.Join(", ", directory.Alive.Select(replica => replica.Id));
            await (found.Count == 0
                ? RefuseAsync(context, StatusCodes.Status404NotFound, 
                    $"No live replica has this id or instance name. Live replicas: {(alive.Length > 0 ? alive : "none")}.")
                : RefuseAsync(context, StatusCodes.Status409Conflict, "Several replicas have this instance name; use an id: " +
                    $"{string.Join(", ", found.Select(replica => replica.Id))}."));
            return;
        }

        await RunAsync(context, operation, found[0], bus);
    }

    private async Task RunAsync(HttpContext context, ReplicaOperation operation, ReplicaInfo replica, IEventBus at)
    {
        if (Impossible(operation, replica) is { } reason)
        {
            await RefuseAsync(context, StatusCodes.Status409Conflict, reason);
            return;
        }

        var started = time.GetTimestamp();
        while (true)
        {
            var changed = directory.Changed;
            if (directory.Find(replica.Id) is not { } now)
            {
                await RefuseAsync(context, StatusCodes.Status409Conflict, "The replica was lost before it answered. Look at the cluster page.");
                return;
            }

            if (now.Draining == operation is ReplicaOperation.Drain)
            {
                LogDone(operation, replica.Id, context.Connection.RemoteIpAddress?.ToString() ?? "");
                await context.Response.WriteAsJsonAsync(
                    new OperationResult(now.Id, now.Instance, ReplicaStates.Of(now, isAlive: true), now.Sessions, now.Calls), context.RequestAborted);
                return;
            }

            if (time.GetElapsedTime(started) > OperationTimeout)
            {
                await RefuseAsync(context, StatusCodes.Status504GatewayTimeout, "The replica did not confirm in time. Read its log, check that its version " +
                    "supports operations, then ask again.");
                return;
            }

            try
            {
                await at.PublishAsync(OperationMessage.Topic, OperationMessage.Write(operation, replica.Id), context.RequestAborted);
            }
            catch (StoreUnavailableException e)
            {
                await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "Replicas cannot be reached over the event bus now, try again: " +
                    $"{e.Message}");
                return;
            }

            await changed.WaitAsync(Again, time, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            context.RequestAborted.ThrowIfCancellationRequested();
        }
    }

    // An id wins over an equal instance name of another replica.
    private List<ReplicaInfo> Find(string name) =>
        directory.Find(name) is { } replica ? [replica] : [.. directory.Alive.Where(other => other.Instance == name)];

    private string? Impossible(ReplicaOperation operation, ReplicaInfo replica) => operation switch
    {
        ReplicaOperation.Resume when replica is { Draining: true, Stays: false } => "The replica is shutting down. It cannot be resumed.",
        ReplicaOperation.Drain when !replica.Draining && !directory.Alive.Any(other => other.Id != replica.Id && !other.Draining) =>
            "No other replica takes sessions. Start or resume another replica first.",
        _ => null,
    };

    private static Task RefuseAsync(HttpContext context, int status, string error)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new OperationError(error), context.RequestAborted);
    }

    private sealed record OperationError(string Error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Operation {Operation} refused: the request from {Address} has no valid operators' key.")]
    private partial void LogRefused(string address, ReplicaOperation operation);

    [LoggerMessage(Level = LogLevel.Information, Message = "Operation {Operation} of replica {ReplicaId} done. Requested from {Address}.")]
    private partial void LogDone(ReplicaOperation operation, string replicaId, string address);
}

/// <summary>How a replica is after an operation.</summary>
/// <param name="Replica">Its id.</param>
/// <param name="Instance">Name given by the platform that started it.</param>
/// <param name="State">As on the page.</param>
/// <param name="Sessions">Sessions that it has (left), as its last heartbeat says.</param>
/// <param name="Calls">Calls that it has in work.</param>
internal sealed record OperationResult(string Replica, string Instance, string State, int Sessions, int Calls);
