using System.ComponentModel;
using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Tasks in one process: which calls become tasks, for which clients, and how they end.</summary>
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

        // The first number that is free: the tool has used "color-2" itself.
        Assert.Equal(["color", "color-2"], Keys(first));
        Assert.Equal(["color-3"], Keys(second!));
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

    [Fact]
    public async Task An_answer_whose_message_is_lost_reaches_the_running_replica()
    {
        await using var cluster = await StartAsync(replicas: 2);
        var client = new TaskClient(cluster);
        var task = Id(await client.CallAsync("delayed_question"));
        var asked = await client.UntilAsync(task, 1, "input_required");

        cluster[0].Bus.Cut = true;
        await client.AnswerAsync(asked, "blue", replica: 1);

        Assert.Equal("blue", (string?)(await client.EndAsync(task, 1))["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task A_cancellation_whose_message_is_lost_reaches_the_running_replica()
    {
        await using var cluster = await StartAsync(replicas: 2);
        _script.Hold();
        var client = new TaskClient(cluster);
        var task = Id(await client.CallAsync("always"));
        await Wait.UntilAsync(() => _script.Runs == 1, "the tool to run");

        cluster[0].Bus.Cut = true;
        await client.CancelAsync(task, replica: 1);

        await Wait.UntilAsync(() => _script.Cancelled == 1, "the tool to be told");
    }

    [Fact]
    public async Task A_server_with_tasks_of_its_own_keeps_them()
    {
        await using var cluster = await StartAsync(server: server => server.Services.Configure<McpServerOptions>(options =>
            (options.RequestHandlers ??= []).Add(new()
            {
                Method = "tasks/get",
                RoutingNameParameter = "taskId",
                Handler = (_, _) => new(new JsonObject { ["own"] = true }),
            })));

        var options = cluster[0].Get<IOptions<McpServerOptions>>().Value;
        Assert.Single(options.RequestHandlers!, handler => handler.Method.StartsWith("tasks/", StringComparison.Ordinal));
        Assert.DoesNotContain(options.Filters.Request.CallToolWithAlternateFilters, filter => filter.Target is TaskCalls);
        Assert.Equal("complete", (string?)(await CallAsync(cluster, "always"))["result"]!["resultType"]);
        Assert.True((bool?)(await GetAsync(cluster, "any"))["own"]);
    }

    private Task<InProcessCluster> StartAsync(
        Action<TaskOptions>? options = null, int replicas = 1, Action<IMcpServerBuilder>? server = null) => InProcessCluster.StartAsync(replicas, server: mcp =>
    {
        mcp.Services.AddSingleton<ITaskStore>(_store).AddSingleton<IXmlRepository>(_keys).AddSingleton(_script);
        mcp.Services.Configure<TaskOptions>(tasks => options?.Invoke(tasks));
        mcp.WithTools<TaskedTools>();
        server?.Invoke(mcp);
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
                throw Ask("first", "color", "color-2");
            if (request.Params.RequestState == "first" && !request.Params.InputResponses.ContainsKey("color-2"))
                throw new InvalidOperationException("The other question of the first round has no answer.");
            var color = response!.Deserialize(InputResponse.ElicitResultJsonTypeInfo)!.Content!["color"].GetString()!;
            return request.Params.RequestState is { Length: > 5 } before ? $"{before[6..]} {color}" : throw Ask($"first {color}", "color");
        }

        [McpServerTool(Name = "claims", ReadOnly = true), RunAsTask, Description("Says who runs it, and what was saved.")]
        public async Task<string> Claims(RequestContext<CallToolRequestParams> request, ITaskState state, CancellationToken cancellationToken)
        {
            var step = await state.GetAsync<int>("step", cancellationToken);
            await state.SetAsync("step", step + 1, cancellationToken);
            await script.RunAsync(cancellationToken);
            return $"{request.User!.FindFirst(ClaimTypes.Role)!.Value}, step {step}, rerun {state.Reruns}";
        }

        private static InputRequiredException Ask(string state, params string[] keys) =>
            new(keys.ToDictionary(key => key, _ => InputRequest.ForElicitation(Color(state))), state);

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
