using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using CallHandler = ModelContextProtocol.Server.McpRequestHandler<
    ModelContextProtocol.Protocol.CallToolRequestParams, ModelContextProtocol.Protocol.ResultOrAlternate<ModelContextProtocol.Protocol.CallToolResult>>;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Makes tasks of tool calls.</summary>
internal sealed class TaskCalls(
    ITaskStore store, TaskHost host, TaskServer server, TaskPolicy policy, KeptIdentity identity, TaskNotices notices, SelfReplica self,
    TaskMetrics metrics, IOptions<TaskOptions> options, TimeProvider time)
{
    private readonly TaskOptions _options = options.Value;

    /// <summary>A filter around all calls.</summary>
    public async ValueTask<ResultOrAlternate<CallToolResult>> InvokeAsync(
        RequestContext<CallToolRequestParams> request, CallHandler next, CancellationToken cancellationToken)
    {
        if (request.JsonRpcRequest.Context?.RelatedTransport is TaskRun run)
            return await RunAsync(next, request, run, cancellationToken);
        if (request.MatchedPrimitive is not McpServerTool tool || policy.Of(tool) is var mode && mode == TaskMode.Never)
            return await next(request, cancellationToken);
        if (!TaskProtocol.IsOffered(request.JsonRpcRequest))
            return mode == TaskMode.Required ? throw TaskProtocol.Missing() : await next(request, cancellationToken);
        return mode == TaskMode.AfterDelay
            ? await RunThenCreateAsync(request, tool, cancellationToken)
            : await CreateThenRunAsync(request, tool, cancellationToken);
    }

    // The tool itself, in a run. What it asks its client becomes a question of the task.
    private static async ValueTask<ResultOrAlternate<CallToolResult>> RunAsync(
        CallHandler next, RequestContext<CallToolRequestParams> request, TaskRun run, CancellationToken cancellationToken)
    {
        request.Server = request.Server.WithOutgoingRequestInterceptor(run.AskAsync);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, run.Cancelled);
        return await next(request, either.Token);
    }

    private async Task<ResultOrAlternate<CallToolResult>> CreateThenRunAsync(
        RequestContext<CallToolRequestParams> request, McpServerTool tool, CancellationToken cancellationToken)
    {
        var task = Describe(request, tool);

        // A replica that drains creates tasks for others.
        var forOthers = self.Draining;
        if (forOthers)
            task = task with { Owner = TaskOwners.None };
        switch (await CreateAsync(task, cancellationToken))
        {
            case TaskCreation.Created { Task: var view }:
                if (forOthers)
                    await notices.FreedAsync(view.Id);
                else
                    host.Begin(Snapshot(view, task), new TaskRun(request.JsonRpcRequest, task.User, view.Id, request.User), started: false);
                return CreateTaskResult.Of(view);
            case TaskCreation.Repeated { Task: var view }:
                return CreateTaskResult.Of(view);
            case var refused:
                throw Refusal(refused);
        }
    }

    private async Task<ResultOrAlternate<CallToolResult>> RunThenCreateAsync(
        RequestContext<CallToolRequestParams> request, McpServerTool tool, CancellationToken cancellationToken)
    {
        var task = Describe(request, tool);
        var needed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var run = new TaskRun(request.JsonRpcRequest, task.User, task.Id, request.User)
        {
            Forward = notification => ForwardAsync(request, notification, cancellationToken),
            Need = () => needed.TrySetResult(),
        };
        var attached = false;
        try
        {
            server.Start(run);
            await Task.WhenAny(run.Answer, needed.Task, Task.Delay(_options.Delay, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (!run.Answer.IsCompleted)
            {
                var creation = await TryCreateAsync(task, needed.Task.IsCompleted, cancellationToken);
                if (creation is TaskCreation.Created { Task: var created })
                {
                    host.Begin(Snapshot(created, task), run, started: attached = true);
                    return CreateTaskResult.Of(created);
                }

                if (creation is TaskCreation.Repeated { Task: var before })
                    return CreateTaskResult.Of(before);
            }

            return Answer(await run.Answer.WaitAsync(cancellationToken));
        }
        finally
        {
            if (!attached)
                run.Cancel();
        }
    }

    // Without a task the client waits for the answer, unless the tool has to ask it something.
    private async Task<TaskCreation?> TryCreateAsync(NewTask task, bool needed, CancellationToken cancellationToken)
    {
        try
        {
            var creation = await CreateAsync(task, cancellationToken);
            return creation is TaskCreation.TooMany && needed ? throw Refusal(creation) : creation;
        }
        catch (McpProtocolException) when (!needed)
        {
            return null;
        }
    }

    private async Task<TaskCreation> CreateAsync(NewTask task, CancellationToken cancellationToken)
    {
        try
        {
            var creation = await store.CreateAsync(task, new TaskQuota(_options.MaxTasks, _options.MaxTasksPerUser), cancellationToken);
            if (creation is TaskCreation.Created)
                metrics.Created();
            else if (creation is TaskCreation.TooMany)
                metrics.Refused();
            return creation;
        }
        catch (StoreUnavailableException e)
        {
            throw new McpProtocolException($"The task cannot be created: {e.Message} Try again.", (McpErrorCode)JsonRpc.Unavailable);
        }
    }

    private NewTask Describe(RequestContext<CallToolRequestParams> request, McpServerTool tool)
    {
        var id = TaskIds.New();
        return new()
        {
            Id = id,
            Owner = self.Id,
            User = UserKey.Of(request.User),
            MayRunTwice = RerunPolicy.Allows(tool),
            Request = JsonRpc.Serialize(new JsonRpcRequest { Id = new RequestId(id), Method = RequestMethods.ToolsCall,
                Params = request.JsonRpcRequest.Params }),
            Identity = identity.Protect(request.User, id),
            TraceParent = TaskTrace.Create(id),
            TimeToLive = _options.TimeToLive,
            PollInterval = _options.PollInterval,
            Exchange = CallScope.Current is StatelessCall call ? call.CallId : "",
        };
    }

    private static TaskSnapshot Snapshot(TaskView view, NewTask task) =>
        new(view, task with { Id = view.Id }, Losses: 0, new Dictionary<string, ReadOnlyMemory<byte>>());

    private static McpProtocolException Refusal(TaskCreation creation) => new(
        creation is TaskCreation.TooMany { OfUser: true }
            ? "You have too many tasks. The call has not run. Try again when tasks of yours have expired."
            : "The server keeps too many tasks. The call has not run. Try again later.",
        (McpErrorCode)JsonRpc.Unavailable);

    private static CallToolResult Answer(JsonRpcMessageWithId answer) => answer switch
    {
        JsonRpcError { Error: var error } => throw new McpProtocolException(error.Message, (McpErrorCode)error.Code),
        JsonRpcResponse { Result: { } result } when JsonRpc.TextParam(result, "resultType") == "input_required" =>
            throw new InputRequiredException(result.Deserialize(JsonRpc.TypeInfo<InputRequiredResult>())!),
        JsonRpcResponse { Result: { } result } => result.Deserialize(JsonRpc.TypeInfo<CallToolResult>())!,
        _ => new CallToolResult(),
    };

    // Progress goes under the client's own token, if it has given one.
    private static Task ForwardAsync(RequestContext<CallToolRequestParams> request, JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        var parameters = notification.Params?.DeepClone();
        if (notification.Method == NotificationMethods.ProgressNotification)
        {
            if (parameters is not JsonObject progress || (request.JsonRpcRequest.Params?["_meta"] as JsonObject)?["progressToken"] is not { } token)
                return Task.CompletedTask;
            progress["progressToken"] = token.DeepClone();
        }

        return request.Server.SendMessageAsync(new JsonRpcNotification { Method = notification.Method, Params = parameters }, cancellationToken);
    }
}
