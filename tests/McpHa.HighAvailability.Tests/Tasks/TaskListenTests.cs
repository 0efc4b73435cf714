using System.ComponentModel;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Notices of tasks, which travel in the broadcast log.</summary>
public sealed class TaskListenTests
{
    private readonly InMemoryTaskStore _tasks = new(TimeProvider.System);
    private readonly Pages _pages = new();

    [Fact]
    public async Task A_listener_at_another_replica_hears_of_its_tasks_alone_and_the_log_has_no_others()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var (heard, unheard) = (TaskClient.Id(await client.CallAsync("write")), TaskClient.Id(await client.CallAsync("write")));
        using var stream = await client.ListenAsync(1, heard, "task-0123456789012345678901234567890123456789");

        var acknowledged = await stream.MessageAsync();
        Assert.Equal([heard], acknowledged["params"]!["notifications"]!["taskIds"]!.AsArray().Select(task => (string)task!));
        Assert.Equal((heard, "working"), Of(await stream.MessageAsync()));
        _pages.Finish();
        var ended = await stream.MessageAsync();
        while (Of(ended).Status == "working")
            ended = await stream.MessageAsync();
        Assert.Equal((heard, "completed"), Of(ended));
        Assert.Equal((await client.GetAsync(heard, 1))["result"]!.ToJsonString(), ended["params"]!["result"]!.ToJsonString());

        await client.EndAsync(unheard);
        var log = await cluster.Broadcasts.ReadAsync(default);
        Assert.NotEmpty(log.Entries);
        Assert.All(log.Entries, entry => Assert.Equal((BroadcastKinds.Task, heard), (entry.Kind, Task(entry))));
    }

    [Fact]
    public async Task A_listener_hears_of_a_cancellation_that_another_replica_took()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("write"));
        using var stream = await client.ListenAsync(1, task);
        await stream.MessageAsync();
        Assert.Equal((task, "working"), Of(await stream.MessageAsync()));

        await client.CancelAsync(task);

        Assert.Equal((task, "cancelled"), Of(await stream.MessageAsync()));
        _pages.Finish();
    }

    [Fact]
    public async Task A_push_that_is_lost_is_made_up_for_by_the_log()
    {
        await using var cluster = await StartAsync();
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("write"));
        using var stream = await client.ListenAsync(1, task);
        await stream.MessageAsync();
        Assert.Equal((task, "working"), Of(await stream.MessageAsync()));

        cluster[1].Bus.Cut = true;
        _pages.Finish();

        var ended = await stream.MessageAsync();
        while (Of(ended).Status == "working")
            ended = await stream.MessageAsync();
        Assert.Equal((task, "completed"), Of(ended));
    }

    [Fact]
    public async Task More_tasks_than_the_limit_are_refused_with_the_limit()
    {
        await using var cluster = await StartAsync();

        using var refused = await new TaskClient(cluster).ListenAsync(0, [.. Enumerable.Range(0, 201).Select(n => $"task-{n:D40}")]);

        var error = (await refused.AnswerAsync())["error"]!;
        Assert.Equal(-32602, (int?)error["code"]);
        Assert.Contains("at most 200", (string?)error["message"], StringComparison.Ordinal);
    }

    private static (string? Task, string? Status) Of(JsonNode message) => ((string?)message["params"]!["taskId"], (string?)message["params"]!["status"]);

    private static string? Task(BroadcastEntry entry) => (string?)JsonNode.Parse(entry.Payload.Span)!["params"]!["taskId"];

    private Task<InProcessCluster> StartAsync() => InProcessCluster.StartAsync(server: server =>
    {
        server.Services.AddSingleton<ITaskStore>(_tasks).AddSingleton(_pages);
        server.WithTools<WritingTools>();
    });

    private sealed class Pages
    {
        private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Finished => _finished.Task;

        public void Finish() => _finished.TrySetResult();
    }

    [McpServerToolType]
    private sealed class WritingTools(Pages pages)
    {
        [McpServerTool(Name = "write"), Rerun, RunAsTask, Description("Writes until told to finish.")]
        public async Task<string> Write(CancellationToken cancellationToken)
        {
            await pages.Finished.WaitAsync(cancellationToken);
            return "written";
        }
    }
}
