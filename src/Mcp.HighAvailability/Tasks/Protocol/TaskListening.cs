using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Lets listen streams follow tasks.</summary>
internal sealed class TaskListening(TaskMethods methods, TimeProvider time, ILogger<TaskListening> logger)
{
    // Each one costs a read when the stream begins.
    private const int MaxTasks = 200;

    /// <summary>The tasks that a <c>subscriptions/listen</c> asks for; <see langword="null"/>: it asks for none.</summary>
    /// <exception cref="ModelContextProtocol.MissingRequiredClientCapabilityException">The client does not support tasks.</exception>
    public async ValueTask<IListenedTasks?> OpenAsync(JsonRpcRequest request, CancellationToken cancellationToken)
    {
        if (((request.Params as JsonObject)?["notifications"] as JsonObject)?["taskIds"] is not JsonArray asked)
            return null;
        if (!TaskProtocol.IsOffered(request))
            throw TaskProtocol.Missing();
        if (asked.Count > MaxTasks)
        {
            throw new McpProtocolException(
                $"'params.notifications.taskIds' names {asked.Count} tasks. Send at most {MaxTasks}, and listen to others in another request.",
                McpErrorCode.InvalidParams);
        }

        var user = UserKey.Of(request.Context?.User);
        List<string> granted = [];
        try
        {
            await GrantAsync();
        }
        catch (StoreUnavailableException e)
        {
            throw new McpProtocolException($"{e.Message} Try again.", (McpErrorCode)JsonRpc.Unavailable);
        }

        return new ListenedTasks(granted, user, methods, time, logger);

        async Task GrantAsync()
        {
            foreach (var id in asked.OfType<JsonValue>())
            {
                if (id.TryGetValue(out string? taskId) && !granted.Contains(taskId) && await methods.ListenAsync(taskId, user, cancellationToken) is not null)
                    granted.Add(taskId);
            }
        }
    }
}
