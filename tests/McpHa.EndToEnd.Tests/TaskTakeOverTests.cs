using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Tasks whose replica dies, is paused, or is told to stop.</summary>
public sealed class TaskTakeOverTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task A_task_goes_on_behind_its_checkpoint_when_its_replica_dies_and_nobody_polls()
    {
        var (owner, other, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 6 });
        using var client = new TaskClient(LabCluster.EndpointOf(other));
        await client.AnswerAsync(await client.WaitAsync(id, "input_required"), new() { ["title"] = "Bees" });
        await Wait.UntilAsync(async () => await MessageAsync(client, id) == "4 of 6 pages", "four pages");

        Cluster.Kill(owner.Id);

        var ended = await client.WaitForEndAsync(id);
        Assert.Equal("completed", (string?)ended["status"]);
        var text = (string)ended["result"]!["content"]![0]!["text"]!;
        Assert.StartsWith("Bees: 6 pages, written by ", text);
        Assert.Equal(2, text.Split(", ").Length - 1);
    }

    [Fact]
    public async Task A_task_whose_replica_dies_right_after_the_answer_runs_elsewhere()
    {
        var (owner, other, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 1 });

        Cluster.Kill(owner.Id);

        using var client = new TaskClient(LabCluster.EndpointOf(other));
        await client.AnswerAsync(await client.WaitAsync(id, "input_required"), new() { ["title"] = "Bees" });
        Assert.Equal("completed", (string?)(await client.WaitForEndAsync(id))["status"]);
    }

    [Fact]
    public async Task An_open_question_keeps_its_key_when_the_replica_dies()
    {
        var (owner, other, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 1 });
        using var client = new TaskClient(LabCluster.EndpointOf(other));
        var asked = await client.WaitAsync(id, "input_required");

        Cluster.Kill(owner.Id);
        // The answer comes before or after the take-over of the task: both must do.
        await client.AnswerAsync(asked, new() { ["title"] = "Bees" });

        var ended = await client.WaitForEndAsync(id);
        Assert.StartsWith("Bees: 1 pages", (string?)ended["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task A_task_that_must_not_run_twice_fails_with_may_have_run()
    {
        var (owner, other, _) = await ReplicasAsync();
        var parcel = Guid.NewGuid().ToString("N");
        var id = await CreateAsync(owner, "deliver", new() { ["seconds"] = 600, ["parcel"] = parcel });
        await Wait.UntilAsync(() => Fixture.Deliveries(parcel) == 1, "the delivery");

        Cluster.Kill(owner.Id);

        using var client = new TaskClient(LabCluster.EndpointOf(other));
        var ended = await client.WaitForEndAsync(id);
        Assert.Equal("failed", (string?)ended["status"]);
        Assert.Equal(-32010, (int?)ended["error"]!["code"]);
        Assert.True((bool)ended["error"]!["data"]!["mayHaveRun"]!);
        Assert.Equal(1, Fixture.Deliveries(parcel));
    }

    [Fact]
    public async Task Tasks_outlive_the_death_of_all_replicas()
    {
        var (owner, _, _) = await ReplicasAsync();
        var again = await CreateAsync(owner, "report", new() { ["seconds"] = 1 });
        var once = await CreateAsync(owner, "deliver", new() { ["seconds"] = 600 });

        foreach (var replica in Cluster.State.Replicas.Where(replica => Processes.IsUp(replica.Pid)).ToList())
            Cluster.Kill(replica.Id);

        await ReplicasAsync();
        using var client = new TaskClient(Cluster.Endpoint);
        await client.AnswerAsync(await client.WaitAsync(again, "input_required"), new() { ["title"] = "Bees" });
        Assert.Equal("completed", (string?)(await client.WaitForEndAsync(again))["status"]);
        Assert.Equal(-32010, (int?)(await client.WaitForEndAsync(once))["error"]?["code"]);
    }

    [Fact]
    public async Task A_replica_that_was_paused_changes_nothing_when_it_comes_back()
    {
        var (owner, other, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 4 });
        using var client = new TaskClient(LabCluster.EndpointOf(other));
        await client.AnswerAsync(await client.WaitAsync(id, "input_required"), new() { ["title"] = "Bees" });

        JsonNode ended;
        Processes.Send(owner.Pid, Processes.SigStop);
        try
        {
            ended = await client.WaitForEndAsync(id);
        }
        finally
        {
            Processes.Send(owner.Pid, Processes.SigCont);
        }

        using var former = new TaskClient(LabCluster.EndpointOf(owner));
        Assert.Equal("completed", (string?)ended["status"]);
        Assert.Equal(ended.ToJsonString(), (await former.GetAsync(id)).ToJsonString());

        // It has written whatever it wanted to when a task of its own has ended.
        var later = await CreateAsync(owner, "report", new() { ["seconds"] = 5 });
        await client.AnswerAsync(await client.WaitAsync(later, "input_required"), new() { ["title"] = "Ants" });
        await client.WaitForEndAsync(later);
        Assert.Equal(ended.ToJsonString(), (await client.GetAsync(id)).ToJsonString());
    }

    [Fact]
    public async Task A_replica_that_is_told_to_stop_hands_its_tasks_over()
    {
        var (owner, other, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 1 });
        using var client = new TaskClient(LabCluster.EndpointOf(other));
        var asked = await client.WaitAsync(id, "input_required");

        Processes.Send(owner.Pid, Processes.SigTerm);
        await Wait.UntilAsync(() => !Processes.IsUp(owner.Pid), "the replica to end");

        await client.AnswerAsync(asked, new() { ["title"] = "Bees" });
        Assert.Equal("completed", (string?)(await client.WaitForEndAsync(id))["status"]);
    }

    [Fact]
    public async Task A_listen_stream_goes_on_when_its_replica_and_that_of_the_task_die()
    {
        var (owner, _, _) = await ReplicasAsync();
        var id = await CreateAsync(owner, "report", new() { ["seconds"] = 1 });
        using var client = new TaskClient(Cluster.Endpoint);
        using var stream = await client.ListenAsync(id);
        var asked = await stream.EventAsync(e => (string?)e.Message?["params"]?["status"] == "input_required", "the question");

        // Whichever has the stream: it is among these.
        foreach (var replica in Cluster.State.Replicas.Where(replica => Processes.IsUp(replica.Pid)).ToList())
            Cluster.Kill(replica.Id);
        await ReplicasAsync();
        await client.AnswerAsync(asked.Message!["params"]!, new() { ["title"] = "Bees" });

        await stream.EventAsync(e => (string?)e.Message?["params"]?["status"] == "completed", "the end");
        Assert.Single(stream.Events, e => e.Method == "notifications/subscriptions/acknowledged");
    }

    private static async Task<string> CreateAsync(ReplicaState at, string tool, JsonObject arguments)
    {
        using var client = new TaskClient(LabCluster.EndpointOf(at));
        return (string)(await client.CreateAsync(tool, arguments))["taskId"]!;
    }

    private static async Task<string?> MessageAsync(TaskClient client, string id) => (string?)(await client.GetAsync(id))["statusMessage"];
}
