using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.Logging.Abstractions;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A call that becomes a task while its tool runs.</summary>
public sealed class TaskRunTests
{
    [Fact]
    public async Task A_checkpoint_that_is_written_while_the_call_becomes_a_task_comes_after_its_former_value()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var tasks = new InMemoryTaskStore(TimeProvider.System);
        var run = new TaskRun(new JsonRpcRequest { Id = new RequestId("1"), Method = RequestMethods.ToolsCall }, "", "1", null);
        await run.SaveAsync("first", Value(1));
        await run.SaveAsync("step", Value(1));

        // At the first write of the task the tool saves, until it has done so or has to wait.
        Thread? tool = null;
        var store = new MortalTaskStore(tasks, dieAt: 1, afterwards: false, () =>
        {
            tool = new Thread(() => _ = run.SaveAsync("step", Value(2)));
            tool.Start();
            SpinWait.SpinUntil(() => !tool.IsAlive || tool.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
            return false;
        });
        using var task = await CreateAsync(tasks, store, cluster);
        run.Attach(task);
        tool!.Join();

        Assert.Equal(2, run.Read("step")!.Value.Span[0]);
    }

    private static async Task<OwnedTask> CreateAsync(InMemoryTaskStore tasks, ITaskStore store, InProcessCluster cluster)
    {
        var task = new NewTask
        {
            Id = TaskIds.New(), Owner = "replica-a", User = "", MayRunTwice = true, Request = Value(0), Identity = Value(0), TraceParent = "",
            TimeToLive = Wait.Limit, PollInterval = Wait.Limit, Exchange = "",
        };
        var created = Assert.IsType<TaskCreation.Created>(await tasks.CreateAsync(task, new TaskQuota(1, 1)));
        var snapshot = new TaskSnapshot(created.Task, task, Losses: 0, new Dictionary<string, ReadOnlyMemory<byte>>());
        return new(snapshot, store, cluster[0].Get<TaskNotices>(), TimeProvider.System, NullLogger.Instance);
    }

    private static ReadOnlyMemory<byte> Value(byte value) => new([value]);
}
