using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>More than one replica is killed.</summary>
public sealed class SeveralDeathsTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_call_survives_three_owners_one_after_the_other(ClientKind kind)
    {
        const int steps = 30;
        await using var client = await ConnectAsync(kind, Access.Balancer);
        var call = client.Call("countdown", new { seconds = 1.5, intervalMs = 50 });
        for (var death = 1; death <= 3; death++)
        {
            // Every owner starts over and brings the call a little further than the one before.
            await Wait.UntilAsync(() => call.Progress.Count >= 5 * death, "some progress");
            (await OwnerOf(client)).Kill();
        }

        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => call.Progress.Count >= steps, "all progress");
        AssertEveryStepOnce(kind, steps, call.Progress);
        Assert.Equal(4, (await OwnerOf(client)).Epoch);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_session_and_its_open_question_are_there_after_all_replicas_were_killed(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind, Access.Balancer);
        await client.CallAsync("notes_add", new { text = "kept" });
        var call = client.Call("ask_name");
        var question = await client.QuestionAsync();

        foreach (var replica in Cluster.State.Replicas)
            Processes.Send(replica.Pid, Processes.SigKill);

        // Held until there is a replica again.
        var notes = (await client.AskAsync("notes_list"))["notes"]!.AsArray();
        Assert.Equal("kept", (string?)Assert.Single(notes));
        await question.AnswerAsync(new { action = "accept", content = new { name = "Ada" } });
        Assert.Equal("Hello, Ada!", (await call.Answer.WaitAsync(Limit)).Text);
        Assert.Single(client.Questions);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_session_is_there_behind_nginx_after_all_replicas_were_killed(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind, Access.Nginx);
        await client.CallAsync("notes_add", new { text = "kept" });

        // All: one that another test has killed may still be on its way back.
        var dead = (await Cluster.WaitForAsync(state => state.Replicas.Count == ClusterFixture.Replicas, "all replicas to be up")).Replicas;
        foreach (var replica in dead)
            Processes.Send(replica.Pid, Processes.SigKill);
        await Cluster.WaitForAsync(
            state => state.Replicas.Count == ClusterFixture.Replicas && !state.Replicas.Any(replica => dead.Contains(replica)), "all replicas to be back");

        // nginx holds nothing: it answers 502 for another moment.
        using var http = new HttpClient();
        await Wait.UntilAsync(async () => (await http.GetAsync(new Uri(Nginx, "/health"))).IsSuccessStatusCode, "nginx to find the replicas again");
        var notes = (await client.AskAsync("notes_list"))["notes"]!.AsArray();
        Assert.Equal("kept", (string?)Assert.Single(notes));
        Assert.Equal(client.SessionId, (await OwnerOf(client)).Session);
    }

    [Fact]
    public async Task The_other_balancer_takes_up_a_call_whose_balancer_and_owner_are_killed()
    {
        using var client = await ConnectRawAsync(Access.Balancer);
        using var broken = await client.PostAsync(RawClient.ToolCall("steps", "countdown", new { seconds = 2, intervalMs = 100 }, progressToken: "steps"));
        await Wait.UntilAsync(() => broken.Messages.Count >= 3, "some progress");
        var owner = await OwnerOf(client);
        var balancers = Cluster.State.Balancers;

        Processes.Send(balancers[0].Pid, Processes.SigKill);
        owner.Kill();
        await Assert.ThrowsAnyAsync<Exception>(() => broken.Read().WaitAsync(Limit));

        using var other = new RawClient(new Uri(balancers[1].Url, "/mcp")) { SessionId = client.SessionId };
        using var resumed = await other.GetAsync(broken.LastEventId);
        await resumed.EventAsync(e => e.Message?["result"] is not null, "the answer");
        JsonNode[] all = [.. broken.Messages, .. resumed.Messages];
        Assert.Equal(Enumerable.Range(1, 20), all.Select(m => m["params"]?["progress"]).OfType<JsonNode>().Select(progress => (int)progress));
        var answer = Assert.Single(all, m => m["result"] is not null);
        Assert.Equal("liftoff", (string?)answer["result"]!["content"]![0]!["text"]);
        await Cluster.WaitForAsync(
            state => state.Balancers.All(balancer => Processes.IsUp(balancer.Pid)) && state.Balancers.Count == 2, "the balancer to be back");
    }
}
