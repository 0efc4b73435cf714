using System.ComponentModel;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>The store loses its data while replicas work on tasks.</summary>
public sealed class TaskStoreLossTests
{
    private readonly InMemoryTaskStore _tasks = new(TimeProvider.System);
    private readonly Gate _gate = new();

    [Fact]
    public async Task A_running_task_is_never_unknown_and_ends_with_its_result()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("patient"));
        var asked = await client.UntilAsync(task, 0, "input_required");

        Wipe(cluster);
        var reading = client.GetAsync(task, replica: 1);
        await RefreshAsync(cluster);

        var read = await reading;
        Assert.Equal(("input_required", asked["createdAt"]!.ToJsonString()), ((string?)read["status"], read["createdAt"]!.ToJsonString()));
        Assert.Equal(TaskClient.Keys(asked), TaskClient.Keys(read));
        await client.AnswerAsync(read, "blue", replica: 1);
        _gate.Open();
        Assert.Equal("blue, step 1", (string?)(await client.EndAsync(task, 1))["result"]?["content"]?[0]?["text"]);
    }

    [Fact]
    public async Task A_task_that_is_written_back_is_taken_over_with_its_checkpoints()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("patient"));
        await client.AnswerAsync(await client.UntilAsync(task, 0, "input_required"), "blue", replica: 1);
        await Wait.UntilAsync(() => _gate.Waiting == 1, "the tool to wait");

        Wipe(cluster);
        await RefreshAsync(cluster);
        await Wait.UntilAsync(async () => await _tasks.ReadAsync(task) is not null, "the task to be written back");
        await cluster.CutOffAsync(cluster[0]);
        await Wait.UntilAsync(() => _gate.Waiting == 2, "the rerun");
        _gate.Open();

        Assert.Equal("blue, step 2", (string?)(await client.EndAsync(task, 1))["result"]?["content"]?[0]?["text"]);
    }

    [Fact]
    public async Task A_result_that_meets_an_empty_store_is_written_with_its_task()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("patient"));
        await client.AnswerAsync(await client.UntilAsync(task, 0, "input_required"), "blue");
        await Wait.UntilAsync(() => _gate.Waiting == 1, "the tool to wait");

        // No replica has noticed yet.
        _tasks.Clear();
        _gate.Open();
        await Wait.UntilAsync(async () => await _tasks.ReadAsync(task) is { Status: McpTaskStatus.Completed }, "the task to end");

        Assert.Equal("blue, step 1", (string?)(await client.GetAsync(task, 1))["result"]?["content"]?[0]?["text"]);
    }

    [Fact]
    public async Task A_task_that_nobody_has_is_unknown_when_all_have_checked()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);

        var answer = await client.AskAsync("tasks/get", new() { ["taskId"] = "task-0123456789012345678901234567890123456789" });

        Assert.Equal(-32602, (int?)answer["error"]?["code"]);
    }

    [Fact]
    public async Task A_task_that_changes_nothing_for_long_does_not_expire_while_it_runs()
    {
        var time = new ShiftedTime();
        var store = new InMemoryTaskStore(time);
        await using var cluster = await InProcessCluster.StartAsync(1, server: server =>
        {
            server.Services.AddSingleton<ITaskStore>(store).AddSingleton(_gate);
            server.Services.Configure<TaskOptions>(options => options.TimeToLive = TimeSpan.FromSeconds(10));
            server.WithTools<PatientTools>();
        });
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("patient"));
        await client.AnswerAsync(await client.UntilAsync(task, 0, "input_required"), "blue");
        await Wait.UntilAsync(() => _gate.Waiting == 1, "the tool to wait");
        var before = (await store.ReadAsync(task))!;

        time.Shift = TimeSpan.FromSeconds(6);
        await Wait.UntilAsync(async () => (await store.ReadAsync(task))!.TimeToLive > before.TimeToLive, "the task to be renewed");

        Assert.Equal(before.Version, (await store.ReadAsync(task))!.Version);
        _gate.Open();
        await client.EndAsync(task);
    }

    private void Wipe(InProcessCluster cluster)
    {
        _tasks.Clear();
        cluster.Wipe();
    }

    private async Task<InProcessCluster> StartAsync()
    {
        var cluster = await InProcessCluster.StartAsync(2, server: server =>
        {
            server.Services.AddSingleton<ITaskStore>(_tasks).AddSingleton(_gate);
            server.WithTools<PatientTools>();
        });

        // In the first run that they see replicas wait for others that they have not heard of: longer than a test.
        foreach (var run in new[] { "1", "2" })
        {
            cluster.Registry.Incarnation = run;
            await RefreshAsync(cluster);
        }

        await Wait.UntilAsync(
            async () =>
            {
                await RefreshAsync(cluster);
                return Enumerable.Range(0, 2).All(n => cluster[n].Get<ReplicaDirectory>().WrittenBack is { ByAll: true, Incarnation: "2" });
            },
            "all replicas to have checked");
        return cluster;
    }

    private static async Task RefreshAsync(InProcessCluster cluster)
    {
        for (var n = 0; n < 2; n++)
            await cluster[n].Get<ReplicaDirectory>().RefreshAsync();
    }

    private sealed class Gate
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _waiting;

        public int Waiting => Volatile.Read(ref _waiting);

        public void Open() => _open.TrySetResult();

        public Task PassAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _waiting);
            return _open.Task.WaitAsync(cancellationToken);
        }
    }

    [McpServerToolType]
    private sealed class PatientTools(Gate gate)
    {
        [McpServerTool(Name = "patient"), Rerun, RunAsTask, Description("Saves a checkpoint, asks, and waits.")]
        public async Task<string> Wait(McpServer server, ITaskState state, CancellationToken cancellationToken)
        {
            var step = await state.GetAsync<int>("step", cancellationToken) + 1;
            await state.SetAsync("step", step, cancellationToken);
            var answer = await server.ElicitAsync(
                new() { Message = "Which?", RequestedSchema = new() { Properties = { ["color"] = new ElicitRequestParams.StringSchema() } } },
                    cancellationToken);
            await gate.PassAsync(cancellationToken);
            return $"{answer.Content!["color"].GetString()}, step {step}";
        }
    }
}
