using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Serves <c>tasks/get</c>, <c>tasks/update</c> and <c>tasks/cancel</c>, on any replica, from the store.</summary>
internal sealed class TaskMethods(ITaskStore store, TaskLookup lookup, TaskNotices notices)
{
    /// <summary>Offers the extension and its methods, unless the server has them from elsewhere.</summary>
    /// <returns>Whether they are these.</returns>
    public bool AddTo(McpServerOptions server)
    {
        server.RequestHandlers ??= [];
        if (server.RequestHandlers.Any(handler => handler.Method == TaskProtocol.Get))
            return false;
        server.Capabilities ??= new ServerCapabilities();
        server.Capabilities.Extensions ??= new Dictionary<string, object>();
        server.Capabilities.Extensions.TryAdd(TaskProtocol.Extension, new JsonObject());
        Add(TaskProtocol.Get, GetAsync);
        Add(TaskProtocol.Update, UpdateAsync);
        Add(TaskProtocol.Cancel, CancelAsync);
        return true;

        void Add(string method, Func<JsonRpcRequest, string, string, CancellationToken, ValueTask<JsonObject>> serve) => server.RequestHandlers.Add(new()
        {
            Method = method,
            RoutingNameParameter = TaskProtocol.TaskId,
            Handler = async (context, cancellationToken) => await ServeAsync(context.JsonRpcRequest, serve, cancellationToken),
        });
    }

    private static async ValueTask<JsonNode?> ServeAsync(
        JsonRpcRequest request, Func<JsonRpcRequest, string, string, CancellationToken, ValueTask<JsonObject>> serve, CancellationToken cancellationToken)
    {
        if (!TaskProtocol.IsKnown(request))
            throw new McpProtocolException($"Method '{request.Method}' needs revision {McpHeaders.Stateless} of the protocol.", McpErrorCode.MethodNotFound);
        if (!TaskProtocol.IsOffered(request))
            throw TaskProtocol.Missing();
        if (JsonRpc.TextParam(request.Params, TaskProtocol.TaskId) is not { } taskId)
            throw new McpProtocolException($"'params.{TaskProtocol.TaskId}' is missing. Send the id that the call returned.", McpErrorCode.InvalidParams);
        if (!TaskIds.IsWellFormed(taskId))
            throw Unknown();
        try
        {
            var result = await serve(request, taskId, UserKey.Of(request.Context?.User), cancellationToken);
            result["resultType"] = "complete";
            return result;
        }
        catch (StoreUnavailableException e)
        {
            throw new McpProtocolException($"{e.Message} Try again.", (McpErrorCode)JsonRpc.Unavailable);
        }
    }

    private async ValueTask<JsonObject> GetAsync(JsonRpcRequest request, string taskId, string user, CancellationToken cancellationToken) =>
        await ReadAsync(taskId, user, cancellationToken) is { } task ? TaskJson.Detailed(task) : throw Unknown();

    private async ValueTask<JsonObject> UpdateAsync(JsonRpcRequest request, string taskId, string user, CancellationToken cancellationToken)
    {
        if ((request.Params as JsonObject)?["inputResponses"] is not JsonObject responses)
            throw new McpProtocolException("'params.inputResponses' must be an object: an answer for each key of 'inputRequests'.", McpErrorCode.InvalidParams);
        List<KeyValuePair<string, ReadOnlyMemory<byte>>> answers = [];
        foreach (var (key, answer) in responses)
        {
            // An answer is an object. Null is no answer.
            if (answer is JsonObject)
                answers.Add(new(key, JsonBytes.Of(answer)));
        }

        await TouchAsync(() => store.AnswerAsync(taskId, user, answers, cancellationToken), cancellationToken);
        return [];
    }

    private async ValueTask<JsonObject> CancelAsync(JsonRpcRequest request, string taskId, string user, CancellationToken cancellationToken)
    {
        await TouchAsync(() => store.CancelAsync(taskId, user, cancellationToken), cancellationToken);
        return [];
    }

    private async ValueTask TouchAsync(Func<ValueTask<TaskView?>> change, CancellationToken cancellationToken) =>
        await notices.TouchedAsync(await lookup.FindAsync(change, cancellationToken) ?? throw Unknown());

    /// <summary>A task of a user; <see langword="null"/>: none. Another user's task looks like one that does not exist.</summary>
    public async ValueTask<TaskView?> ReadAsync(string taskId, string user, CancellationToken cancellationToken) =>
        TaskIds.IsWellFormed(taskId) && await lookup.FindAsync(() => store.ReadAsync(taskId, cancellationToken), cancellationToken) is { } task
            && (task.User.Length == 0 || task.User == user)
            ? task : null;

    /// <summary>The same, for a listener: from now on changes of the task are announced.</summary>
    public async ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken) =>
        TaskIds.IsWellFormed(taskId) ? await lookup.FindAsync(() => store.ListenAsync(taskId, user, cancellationToken), cancellationToken) : null;

    private static McpProtocolException Unknown() => new(
        "Unknown task: it has expired, belongs to another user, or was never created. Call the tool again.", McpErrorCode.InvalidParams);
}
