using System.ComponentModel;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Server;

namespace McpHa.Tests.Diagnostics;

/// <summary>What a person sees of a task afterwards: one trace, from whichever process.</summary>
[Collection(TracedAlone.Name)]
public sealed class TaskTraceTests
{
    private readonly InMemoryTaskStore _tasks = new(TimeProvider.System);
    private readonly Gate _gate = new();

    [Fact]
    public async Task A_task_is_one_trace_over_all_its_owners()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync(server: server =>
        {
            server.Services.AddSingleton<ITaskStore>(_tasks).AddSingleton(_gate);
            server.WithTools<GatedTools>();
        });
        var client = new TaskClient(cluster);
        var task = TaskClient.Id(await client.CallAsync("gated"));
        await Wait.UntilAsync(() => _gate.Waiting == 1, "the first run");

        await cluster.CutOffAsync(cluster[0]);
        await Wait.UntilAsync(() => _gate.Waiting == 2, "the second run");
        _gate.Open();
        await client.EndAsync(task, 1);

        await Wait.UntilAsync(() => Of(task).Count(span => span.OperationName == "task run") == 2, "both runs to end");
        var created = Of(task).Single(span => span.OperationName == "task create");
        var runs = Of(task).Where(span => span.OperationName == "task run").OrderBy(span => (long)span.GetTagItem("mcp.ha.epoch")!).ToList();
        Assert.Equal(["replica-a", "replica-b"], runs.Select(run => run.GetTagItem("mcp.ha.replica.id")));
        Assert.Equal([1L, 2L], runs.Select(run => (long)run.GetTagItem("mcp.ha.epoch")!));
        Assert.Equal(["lost", "completed"], runs.Select(run => run.GetTagItem("mcp.ha.task.status")));
        Assert.All(runs, run => Assert.Equal((created.TraceId, created.SpanId), (run.TraceId, run.ParentSpanId)));
        Assert.Equal(default, created.ParentSpanId);

        // The request that created it has a trace of its own.
        var request = spans.All.Single(span => span.SpanId == Assert.Single(created.Links).Context.SpanId);
        Assert.NotEqual(created.TraceId, request.TraceId);

        IEnumerable<System.Diagnostics.Activity> Of(string id) => spans.All.Where(span => (string?)span.GetTagItem("mcp.ha.task.id") == id);
    }

    private sealed class Gate
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _waiting;

        public int Waiting => Volatile.Read(ref _waiting);

        public void Open() => _open.TrySetResult();

        // A tool that does not listen to its token.
        public Task PassAsync()
        {
            Interlocked.Increment(ref _waiting);
            return _open.Task;
        }
    }

    [McpServerToolType]
    private sealed class GatedTools(Gate gate)
    {
        [McpServerTool(Name = "gated"), Rerun, RunAsTask, Description("Waits.")]
        public async Task<string> Wait()
        {
            await gate.PassAsync();
            return "passed";
        }
    }
}
