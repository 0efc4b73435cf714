using System.ComponentModel;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Tasks of a replica that is told to stop, or that an operator drains.</summary>
public sealed class TaskDrainTests
{
    private static readonly TimeSpan Long = 4 * Wait.Limit;

    private readonly InMemoryTaskStore _store = new(TimeProvider.System);
    private readonly Work _work = new();

    [Theory, InlineData("work_again"), InlineData("work_once")]
    public async Task A_short_task_finishes_where_it_runs(string tool)
    {
        await using var cluster = await StartAsync(Long);
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync(tool));
        await RunsAsync(1);

        var stopped = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Get<SelfReplica>().Draining, "the drain to begin");
        Assert.False(stopped.IsCompleted);
        _work.Finish();
        await stopped;

        Assert.Equal("replica-a", Text(await client.EndAsync(task, 1)));
        Assert.Equal(1, _work.Runs);
    }

    [Fact]
    public async Task A_long_task_is_handed_over()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("work_again"));
        await RunsAsync(1);

        await cluster[0].StopAsync();
        Miss(cluster);

        await RunsAsync(2);
        _work.Finish();
        Assert.Equal("replica-b", Text(await client.EndAsync(task, 1)));
    }

    [Fact]
    public async Task A_long_task_that_must_not_run_twice_ends_with_may_have_run()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("work_once"));
        await RunsAsync(1);
        var metrics = cluster[0].Get<TaskMetrics>();

        await cluster[0].StopAsync();

        Assert.Equal(-32010, (int?)(await client.EndAsync(task, 1))["error"]?["code"]);
        Assert.Equal(1, _work.Runs);
        Assert.Equal(1, metrics.MayHaveRun);
    }

    [Fact]
    public async Task A_replica_that_drains_creates_tasks_for_others()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        await cluster[0].DrainAsync();

        var task = TaskClient.Id(await client.CallAsync("work_once"));

        await RunsAsync(1);
        _work.Finish();
        Assert.Equal("replica-b", Text(await client.EndAsync(task)));
    }

    [Fact]
    public async Task An_operators_drain_hands_tasks_over_and_lets_those_finish_that_must_not_run_twice()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var again = TaskClient.Id(await client.CallAsync("work_again"));
        var once = TaskClient.Id(await client.CallAsync("work_once"));
        await RunsAsync(2);

        Assert.True(cluster[0].Get<ReplicaDrain>().Begin());

        await RunsAsync(3);
        _work.Finish();
        Assert.Equal("replica-b", Text(await client.EndAsync(again)));
        Assert.Equal("replica-a", Text(await client.EndAsync(once)));
    }

    [Fact]
    public async Task A_call_in_flight_that_becomes_a_task_when_the_web_server_stops_is_handed_over()
    {
        // A task that is left behind counts as lost, and may not be lost once.
        await using var cluster = await StartAsync(maxLosses: 1);
        var client = new TaskClient(cluster);
        var call = client.CallAsync("ask_again");
        await RunsAsync(1);

        var stopped = cluster[0].StopAsync();
        await ClosedAsync(cluster[0]);
        _work.Finish();

        var task = TaskClient.Id(await call);
        await stopped;
        Miss(cluster);
        await client.AnswerAsync(await client.UntilAsync(task, 1, "input_required"), "blue", 1);
        Assert.Equal("blue replica-b", Text(await client.EndAsync(task, 1)));
    }

    [Fact]
    public async Task A_call_in_flight_that_becomes_a_task_when_the_web_server_stops_has_the_rest_of_the_time_for_draining()
    {
        await using var cluster = await StartAsync(Long);
        var client = new TaskClient(cluster);
        var call = client.CallAsync("ask_once");
        await RunsAsync(1);

        var stopped = cluster[0].StopAsync();
        await ClosedAsync(cluster[0]);
        _work.Finish();

        var task = TaskClient.Id(await call);
        await client.AnswerAsync(await client.UntilAsync(task, 1, "input_required"), "blue", 1);
        Assert.Equal("blue replica-a", Text(await client.EndAsync(task, 1)));
        await stopped;
        Assert.Equal(1, _work.Runs);
    }

    private Task<InProcessCluster> StartAsync(TimeSpan drain = default, int maxLosses = 2) => InProcessCluster.StartAsync(
        options: o => (o.DrainTimeout, o.MaxReplicaLosses) = (drain, maxLosses),
        server: server =>
        {
            server.Services.AddSingleton<ITaskStore>(_store).AddSingleton(_work);
            server.Services.Configure<TaskOptions>(tasks => tasks.Delay = Wait.Limit);
            server.WithTools<DrainedTools>();
        });

    // Replica-b may not have heard of so short a drain. It then finds out by a connection that is refused, and otherwise 45 s later.
    private static void Miss(InProcessCluster cluster) => cluster[1].Get<ReplicaDirectory>().ReportUnreachable(cluster[0].Id);

    private Task RunsAsync(int runs) => Wait.UntilAsync(() => _work.Runs == runs, $"run {runs} of the tool");

    private static Task ClosedAsync(InProcessReplica replica) => Wait.UntilAsync(
        async () =>
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(replica.Endpoint.Host, replica.Endpoint.Port);
                return false;
            }
            catch (SocketException)
            {
                return true;
            }
        },
        "the listening socket to close");

    private static string? Text(JsonNode ended) => (string?)ended["result"]?["content"]?[0]?["text"] ?? ended.ToJsonString();

    private sealed class Work
    {
        private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _runs;

        public int Runs => Volatile.Read(ref _runs);

        public void Finish() => _finished.TrySetResult();

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _runs);
            await _finished.Task.WaitAsync(cancellationToken);
        }
    }

    [McpServerToolType]
    private sealed class DrainedTools(Work work, IReplicaContext replica)
    {
        [McpServerTool(Name = "work_again"), Rerun, RunAsTask, Description("Works, and may run again.")]
        public async Task<string> Again(CancellationToken cancellationToken)
        {
            await work.RunAsync(cancellationToken);
            return replica.ReplicaId;
        }

        [McpServerTool(Name = "work_once"), Rerun(false), RunAsTask, Description("Works, and must not run twice.")]
        public Task<string> Once(CancellationToken cancellationToken) => Again(cancellationToken);

        [McpServerTool(Name = "ask_again"), Rerun, RunAsTask(TaskMode.AfterDelay), Description("Works, asks, and may run again.")]
        public async Task<string> AgainAsks(McpServer server, CancellationToken cancellationToken)
        {
            await work.RunAsync(cancellationToken);
            var answer = await server.ElicitAsync(
                new() { Message = "Which?", RequestedSchema = new() { Properties = { ["color"] = new ElicitRequestParams.StringSchema() } } },
                cancellationToken);
            return $"{answer.Content!["color"].GetString()} {replica.ReplicaId}";
        }

        [McpServerTool(Name = "ask_once"), Rerun(false), RunAsTask(TaskMode.AfterDelay), Description("Works, asks, and must not run twice.")]
        public Task<string> OnceAsks(McpServer server, CancellationToken cancellationToken) => AgainAsks(server, cancellationToken);
    }
}
