using System.ComponentModel;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>
/// A replica dies before and after each of its changes of a task, wherever that is in the task's life. Every task ends, once, with the right result.
/// </summary>
public sealed class TaskDeathTests
{
    // Create, save, ask, save, end.
    private const int ChangesOfAsking = 5;

    // Create, save, end.
    private const int ChangesOfSending = 3;

    private readonly InMemoryTaskStore _tasks = new(TimeProvider.System);
    private readonly List<MortalTaskStore> _stores = [];
    private readonly Effects _effects = new();

    public static TheoryData<int, bool> DeathsOfAsking => Deaths(ChangesOfAsking);

    public static TheoryData<int, bool> DeathsOfSending => Deaths(ChangesOfSending);

    [Theory, MemberData(nameof(DeathsOfAsking))]
    public async Task A_task_that_may_run_again_ends_with_its_result(int change, bool afterwards)
    {
        await using var cluster = await StartAsync((change, afterwards), (0, false));
        var client = new TaskClient(cluster);
        var keys = new HashSet<string>();

        var (task, _) = await CreateAsync(cluster, client, "asking");
        if (task is null)
            return;
        var ended = await DriveAsync(cluster, task, keys);

        Assert.Equal(("completed", "blue, 1"), ((string?)ended["status"], (string?)ended["result"]?["content"]?[0]?["text"]));
        Assert.Single(keys);
        await AssertNothingLeftAsync(cluster, task, ended);
        Assert.Equal(change > 0, _stores[0].IsDead);
    }

    [Theory, MemberData(nameof(DeathsOfSending))]
    public async Task A_task_that_must_not_run_twice_ends_and_has_run_at_most_once(int change, bool afterwards)
    {
        await using var cluster = await StartAsync((change, afterwards), (0, false));
        var client = new TaskClient(cluster);

        var (task, _) = await CreateAsync(cluster, client, "sending");
        if (task is null)
            return;
        var ended = await DriveAsync(cluster, task, []);

        Assert.InRange(_effects.Sent, 0, 1);
        if ((string?)ended["status"] == "completed")
            Assert.Equal((1, "sent"), (_effects.Sent, (string?)ended["result"]?["content"]?[0]?["text"]));
        else
            Assert.Equal(("failed", -32010), ((string?)ended["status"], (int?)ended["error"]?["code"]));
        await AssertNothingLeftAsync(cluster, task, ended);
        Assert.Equal(change > 0, _stores[0].IsDead);
    }

    [Theory]
    [InlineData(1, true, 2, false)]
    [InlineData(1, true, 1, true)]
    [InlineData(2, true, 1, false)]
    [InlineData(2, true, 2, true)]
    [InlineData(3, false, 2, false)]
    [InlineData(3, true, 3, true)]
    [InlineData(4, true, 3, false)]
    [InlineData(5, false, 1, true)]
    public async Task A_task_ends_with_its_result_when_the_next_owner_dies_too(int change, bool afterwards, int nextChange, bool nextAfterwards)
    {
        await using var cluster = await StartAsync((change, afterwards), (nextChange, nextAfterwards), (nextChange, nextAfterwards));
        var client = new TaskClient(cluster);
        var keys = new HashSet<string>();

        var (task, _) = await CreateAsync(cluster, client, "asking");
        if (task is null)
            return;
        var ended = await DriveAsync(cluster, task, keys);

        Assert.Equal(("completed", "blue, 1"), ((string?)ended["status"], (string?)ended["result"]?["content"]?[0]?["text"]));
        Assert.Single(keys);
        await AssertNothingLeftAsync(cluster, task, ended);
        Assert.Equal(2, _stores.Count(store => store.IsDead));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_a_dying_replica_took_may_be_repeated(bool afterwards)
    {
        await using var cluster = await StartAsync((0, false), (1, afterwards));
        var client = new TaskClient(cluster);
        var (task, _) = await CreateAsync(cluster, client, "asking");
        var asked = await client.UntilAsync(task!, 0, "input_required");

        var lost = client.AnswerAsync(asked, "blue", replica: 1);
        await _stores[1].Died.WaitAsync(Wait.Limit);
        Assert.Equal("complete", (string?)(await client.AnswerAsync(asked, afterwards ? "red" : "blue"))["result"]?["resultType"]);

        var ended = await client.EndAsync(task!);
        Assert.Equal("blue, 1", (string?)ended["result"]?["content"]?[0]?["text"]);
        _stores[1].Bury();
        await lost;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancellation_that_a_dying_replica_took_may_be_repeated(bool afterwards)
    {
        await using var cluster = await StartAsync((0, false), (1, afterwards));
        var client = new TaskClient(cluster);
        var (task, _) = await CreateAsync(cluster, client, "asking");
        await client.UntilAsync(task!, 0, "input_required");

        var lost = client.CancelAsync(task!, replica: 1);
        await _stores[1].Died.WaitAsync(Wait.Limit);
        Assert.Equal("complete", (string?)(await client.CancelAsync(task!))["result"]?["resultType"]);

        Assert.Equal("cancelled", (string?)(await client.EndAsync(task!))["status"]);
        await Wait.UntilAsync(() => cluster[0].Get<TaskHost>().Running.Count == 0, "the run to end");
        _stores[1].Bury();
        await lost;
    }

    private static TheoryData<int, bool> Deaths(int changes)
    {
        var deaths = new TheoryData<int, bool> { { 0, false } };
        for (var change = 1; change <= changes; change++)
        {
            deaths.Add(change, false);
            deaths.Add(change, true);
        }

        return deaths;
    }

    // A replica for each. One always lives on.
    private async Task<MortalCluster> StartAsync(params (int Change, bool Afterwards)[] deaths)
    {
        var keys = new InMemoryXmlRepository();
        var left = deaths.Length - 1;
        var cluster = await InProcessCluster.StartAsync(deaths.Length, options => options.MaxReplicaLosses = 5, server: server =>
        {
            var (change, afterwards) = deaths[_stores.Count];
            _stores.Add(new MortalTaskStore(_tasks, change, afterwards, () => Interlocked.Decrement(ref left) >= 0));
            server.Services.AddSingleton<ITaskStore>(_stores[^1]).AddSingleton<IXmlRepository>(keys).AddSingleton(_effects);
            server.WithTools<MortalTools>();
        });
        return new(cluster, _stores);
    }

    // Null: the first replica died before it had created the task.
    private async Task<(string? Task, Task Call)> CreateAsync(MortalCluster cluster, TaskClient client, string tool)
    {
        var call = client.CallAsync(tool);
        await Task.WhenAny(call, _stores[0].Died).WaitAsync(Wait.Limit);
        await cluster.BuryAsync();
        string? task = null;
        foreach (var owner in await _tasks.OwnersAsync())
            task ??= (await _tasks.OwnedAsync(owner)).SingleOrDefault();
        return (task ?? (call.IsCompletedSuccessfully ? TaskClient.Id(await call) : null), call);
    }

    // Looks and answers as clients of replicas that live on would, and cuts off those that have died.
    private async Task<JsonNode> DriveAsync(MortalCluster cluster, string task, HashSet<string> keys)
    {
        JsonNode? now = null;
        await Wait.UntilAsync(
            async () =>
            {
                await cluster.BuryAsync();
                now = TaskJson.Detailed((await _tasks.ReadAsync(task))!);
                keys.UnionWith(TaskClient.Keys(now));
                if ((string?)now["status"] == "input_required" && await _tasks.AnswerAsync(task, "", [.. TaskClient.Keys(now).Select(Blue)]) is { } answered)
                    await cluster[Living].Get<TaskNotices>().TouchedAsync(answered);
                return (string?)now["status"] is "completed" or "failed" or "cancelled";
            },
            $"task {task} to end");
        return now!;

        static KeyValuePair<string, ReadOnlyMemory<byte>> Blue(string key) => new(key, """{"action":"accept","content":{"color":"blue"}}"""u8.ToArray());
    }

    private int Living => _stores.FindIndex(store => !store.IsDead);

    private async Task AssertNothingLeftAsync(MortalCluster cluster, string task, JsonNode ended)
    {
        await Wait.UntilAsync(
            async () =>
            {
                await cluster.BuryAsync();
                return (await _tasks.OwnersAsync()).Count == 0;
            },
            "no owner to have a task");
        var read = (await new TaskClient(cluster).GetAsync(task, Living)).AsObject();
        read.Remove("resultType");
        read.Remove("_meta");
        Assert.Equal(ended.ToJsonString(), read.ToJsonString());
    }

    /// <summary>A cluster whose dead replicas are seen to be dead.</summary>
    private sealed class MortalCluster(InProcessCluster cluster, List<MortalTaskStore> stores) : IAsyncDisposable
    {
        private readonly HashSet<int> _cut = [];

        public InProcessReplica this[int replica] => cluster[replica];

        public static implicit operator InProcessCluster(MortalCluster mortal) => mortal.Inner;

        private InProcessCluster Inner => cluster;

        /// <summary>Cuts those off that have died.</summary>
        public async Task BuryAsync()
        {
            for (var n = 0; n < stores.Count; n++)
            {
                if (stores[n].IsDead && _cut.Add(n))
                    await cluster.CutOffAsync(cluster[n]);
            }
        }

        public async ValueTask DisposeAsync()
        {
            stores.ForEach(store => store.Bury());
            await cluster.DisposeAsync();
        }
    }

    private sealed class Effects
    {
        private int _sent;

        public int Sent => Volatile.Read(ref _sent);

        public void Send() => Interlocked.Increment(ref _sent);
    }

    [McpServerToolType]
    private sealed class MortalTools(Effects effects)
    {
        [McpServerTool(Name = "asking"), Rerun, RunAsTask, Description("Counts its beginnings, asks, and counts on.")]
        public static async Task<string> Ask(McpServer server, ITaskState state, CancellationToken cancellationToken)
        {
            if (await state.GetAsync<int>("begun", cancellationToken) == 0)
                await state.SetAsync("begun", 1, cancellationToken);
            var answer = await server.ElicitAsync(
                new() { Message = "Which?", RequestedSchema = new() { Properties = { ["color"] = new ElicitRequestParams.StringSchema() } } },
                    cancellationToken);
            var color = answer.Content!["color"].GetString()!;
            await state.SetAsync("color", color, cancellationToken);
            return $"{color}, {await state.GetAsync<int>("begun", cancellationToken)}";
        }

        [McpServerTool(Name = "sending"), Rerun(false), RunAsTask, Description("Has an effect, and says so.")]
        public async Task<string> Send(ITaskState state, CancellationToken cancellationToken)
        {
            effects.Send();
            await state.SetAsync("sent", true, cancellationToken);
            return "sent";
        }
    }
}
