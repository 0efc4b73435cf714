using System.ComponentModel;
using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Tasks in one process: which calls become tasks, for whom, and how they end.</summary>
public sealed class TaskCallTests
{
    private readonly InMemoryTaskStore _store = new(TimeProvider.System);
    private readonly InMemoryXmlRepository _keys = new();
    private readonly TaskedTools.Script _script = new();

    [Fact]
    public async Task A_quick_call_of_a_tool_with_a_delay_is_an_ordinary_one()
    {
        await using var cluster = await StartAsync(tasks => tasks.Delay = Wait.Limit);

        var answer = await CallAsync(cluster, "delayed");

        Assert.Equal("done", (string?)answer["result"]!["content"]![0]!["text"]);
        Assert.Equal("complete", (string?)answer["result"]!["resultType"]);
    }

    [Fact]
    public async Task A_slow_call_of_a_tool_with_a_delay_becomes_a_task_that_runs_once()
    {
        await using var cluster = await StartAsync(tasks => tasks.Delay = TimeSpan.Zero);
        _script.Hold();

        var task = await CallAsync(cluster, "delayed");
        Assert.Equal("task", (string?)task["result"]!["resultType"]);
        _script.LetGo();

        Assert.Equal("done", (string?)(await EndAsync(cluster, task))["result"]!["content"]![0]!["text"]);
        Assert.Equal(1, _script.Runs);
    }

    [Fact]
    public async Task A_question_makes_a_task_before_the_delay_is_over()
    {
        await using var cluster = await StartAsync(tasks => tasks.Delay = Wait.Limit);

        var task = await CallAsync(cluster, "delayed_question");
        var asked = await UntilAsync(cluster, Id(task), "input_required");
        await AnswerAsync(cluster, asked, "blue");

        Assert.Equal("blue", (string?)(await EndAsync(cluster, task))["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task What_a_tool_asks_in_place_of_a_result_becomes_questions_under_keys_of_their_own()
    {
        await using var cluster = await StartAsync();
        var task = await CallAsync(cluster, "rounds");

        var first = await UntilAsync(cluster, Id(task), "input_required");
        await AnswerAsync(cluster, first, "one");
        JsonNode? second = null;
        await Wait.UntilAsync(async () => Keys(second = await GetAsync(cluster, Id(task))) is [not "color"], "the second question");
        await AnswerAsync(cluster, second!, "two");

        Assert.Equal(["color"], Keys(first));
        Assert.Equal("one two", (string?)(await EndAsync(cluster, task))["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task A_task_is_its_users()
    {
        await using var cluster = await StartAsync();
        var task = Id(await CallAsync(cluster, "always", user: "anna"));

        foreach (var stranger in (string?[])["bob", null])
        {
            foreach (var method in (string[])["tasks/get", "tasks/update", "tasks/cancel"])
            {
                var answer = await AskAsync(cluster, method, new() { ["taskId"] = task, ["inputResponses"] = new JsonObject() }, stranger);
                Assert.Equal(-32602, (int?)answer["error"]?["code"]);
            }
        }

        Assert.Equal(task, (string?)(await AskAsync(cluster, "tasks/get", new() { ["taskId"] = task }, "anna"))["result"]!["taskId"]);
    }

    [Fact]
    public async Task Who_has_too_many_tasks_is_refused_and_nothing_runs()
    {
        await using var cluster = await StartAsync(tasks => tasks.MaxTasksPerUser = 1);
        await CallAsync(cluster, "always", user: "anna");
        await Wait.UntilAsync(() => _script.Runs == 1, "the first task to run");

        Assert.Equal(-32012, (int?)(await CallAsync(cluster, "always", user: "anna"))["error"]?["code"]);
        Assert.Equal("task", (string?)(await CallAsync(cluster, "always", user: "bob"))["result"]?["resultType"]);
        await Wait.UntilAsync(() => _script.Runs == 2, "the task of the other user to run");
    }

    [Fact]
    public async Task A_task_that_runs_too_long_fails()
    {
        await using var cluster = await StartAsync(tasks => tasks.MaxRunTime = TimeSpan.FromSeconds(1));
        _script.Hold();

        var ended = await EndAsync(cluster, await CallAsync(cluster, "always"));

        Assert.Equal(("failed", -32603), ((string?)ended["status"], (int?)ended["error"]!["code"]));
    }

    [Fact]
    public async Task A_cancellation_ends_the_token_of_the_tool()
    {
        await using var cluster = await StartAsync();
        _script.Hold();
        var task = await CallAsync(cluster, "always");
        await Wait.UntilAsync(() => _script.Runs == 1, "the tool to run");

        await AskAsync(cluster, "tasks/cancel", new() { ["taskId"] = Id(task) });

        await Wait.UntilAsync(() => _script.Cancelled == 1, "the tool to be told");
        Assert.Equal("cancelled", (string?)(await GetAsync(cluster, Id(task)))["status"]);
    }

    [Fact]
    public async Task A_rerun_has_the_claims_of_the_user_and_the_checkpoints_of_the_lost_run()
    {
        await using var cluster = await StartAsync(replicas: 2);
        _script.Hold();
        var task = Id(await CallAsync(cluster, "claims", user: "anna admin"));
        await Wait.UntilAsync(() => _script.Runs == 1, "the first run");

        await cluster.CutOffAsync(cluster[0]);
        await Wait.UntilAsync(() => _script.Runs == 2, "the second run");
        _script.LetGo();

        JsonNode? ended = null;
        await Wait.UntilAsync(
            async () =>
            {
                ended = (await AskAsync(cluster, "tasks/get", new() { ["taskId"] = task }, "anna", replica: 1))["result"]!;
                return (string?)ended["status"] == "completed";
            },
            "the task to end");
        Assert.Equal("admin, step 1, rerun 1", (string?)ended!["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task A_setting_wins_over_the_attribute()
    {
        await using var cluster = await StartAsync(tasks => tasks.Tools["always"] = TaskMode.Never);

        Assert.Equal("complete", (string?)(await CallAsync(cluster, "always"))["result"]!["resultType"]);
    }

    private Task<InProcessCluster> StartAsync(Action<TaskOptions>? options = null, int replicas = 1) => InProcessCluster.StartAsync(replicas, server: server =>
    {
        server.Services.AddSingleton<ITaskStore>(_store).AddSingleton<IXmlRepository>(_keys).AddSingleton(_script);
        server.Services.Configure<TaskOptions>(tasks => options?.Invoke(tasks));
        server.WithTools<TaskedTools>();
    });

    private static Task<JsonNode> CallAsync(InProcessCluster cluster, string tool, string? user = null) => new TaskClient(cluster, user).CallAsync(tool);

    private static Task<JsonNode> GetAsync(InProcessCluster cluster, string id) => new TaskClient(cluster).GetAsync(id);

    private static Task<JsonNode> UntilAsync(InProcessCluster cluster, string id, params string[] statuses) =>
        new TaskClient(cluster).UntilAsync(id, 0, statuses);

    private static Task<JsonNode> EndAsync(InProcessCluster cluster, JsonNode created) => new TaskClient(cluster).EndAsync(Id(created));

    private static Task<JsonNode> AnswerAsync(InProcessCluster cluster, JsonNode task, string color) => new TaskClient(cluster).AnswerAsync(task, color);

    private static Task<JsonNode> AskAsync(InProcessCluster cluster, string method, JsonObject parameters, string? user = null, int replica = 0) =>
        new TaskClient(cluster, user).AskAsync(method, parameters, replica);

    private static string Id(JsonNode answer) => TaskClient.Id(answer);

    private static string[] Keys(JsonNode task) => TaskClient.Keys(task);

    [McpServerToolType]
    private sealed class TaskedTools(TaskedTools.Script script)
    {
        [McpServerTool(Name = "always", ReadOnly = true), RunAsTask, Description("Works.")]
        public Task<string> Always(CancellationToken cancellationToken) => script.RunAsync(cancellationToken);

        [McpServerTool(Name = "delayed", ReadOnly = true), RunAsTask(TaskMode.AfterDelay), Description("Works.")]
        public Task<string> Delayed(CancellationToken cancellationToken) => script.RunAsync(cancellationToken);

        [McpServerTool(Name = "delayed_question", ReadOnly = true), RunAsTask(TaskMode.AfterDelay), Description("Asks.")]
        public static async Task<string> Question(McpServer server, CancellationToken cancellationToken) =>
            (await server.ElicitAsync(Color("Which?"), cancellationToken)).Content!["color"].GetString()!;

        [McpServerTool(Name = "rounds", ReadOnly = true), RunAsTask, Description("Asks twice by way of its result.")]
        public static string Rounds(RequestContext<CallToolRequestParams> request)
        {
            if (request.Params.InputResponses?.TryGetValue("color", out var response) != true)
                throw Ask("first");
            var color = response!.Deserialize(InputResponse.ElicitResultJsonTypeInfo)!.Content!["color"].GetString()!;
            return request.Params.RequestState is { Length: > 5 } before ? $"{before[6..]} {color}" : throw Ask($"first {color}");
        }

        [McpServerTool(Name = "claims", ReadOnly = true), RunAsTask, Description("Says who runs it, and what was saved.")]
        public async Task<string> Claims(RequestContext<CallToolRequestParams> request, ITaskState state, CancellationToken cancellationToken)
        {
            var step = await state.GetAsync<int>("step", cancellationToken);
            await state.SetAsync("step", step + 1, cancellationToken);
            await script.RunAsync(cancellationToken);
            return $"{request.User!.FindFirst(ClaimTypes.Role)!.Value}, step {step}, rerun {state.Reruns}";
        }

        private static InputRequiredException Ask(string state) =>
            new(new Dictionary<string, InputRequest> { ["color"] = InputRequest.ForElicitation(Color(state)) }, state);

        private static ElicitRequestParams Color(string message) =>
            new() { Message = message, RequestedSchema = new() { Properties = { ["color"] = new ElicitRequestParams.StringSchema() } } };

        /// <summary>What the tools do.</summary>
        public sealed class Script
        {
            private TaskCompletionSource _held = Done();
            private int _runs;
            private int _cancelled;

            public int Runs => Volatile.Read(ref _runs);

            public int Cancelled => Volatile.Read(ref _cancelled);

            public void Hold() => _held = new(TaskCreationOptions.RunContinuationsAsynchronously);

            public void LetGo() => _held.TrySetResult();

            public async Task<string> RunAsync(CancellationToken cancellationToken)
            {
                Interlocked.Increment(ref _runs);
                try
                {
                    await _held.Task.WaitAsync(cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    Interlocked.Increment(ref _cancelled);
                    throw;
                }

                return "done";
            }

            private static TaskCompletionSource Done()
            {
                var done = new TaskCompletionSource();
                done.SetResult();
                return done;
            }
        }
    }
}
