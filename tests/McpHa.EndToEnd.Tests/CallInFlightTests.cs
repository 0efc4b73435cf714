using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is killed while it works on a call.</summary>
[Trait("Category", "Quick")]
public sealed class CallInFlightTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const int Steps = 20;

    private static readonly object Countdown = new { seconds = 2, intervalMs = 100 };

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task A_call_in_flight_finishes_on_another_replica_after_kill(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var call = client.Call("countdown", Countdown);
        await Wait.UntilAsync(() => call.Progress.Count >= 5, "some progress");

        owner.Kill();

        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => call.Progress.Count >= Steps, "all progress");
        AssertEveryStepOnce(kind, Steps, call.Progress);
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(client)).Epoch);
        AssertNoTrouble(client, access);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_call_in_flight_finishes_behind_a_dumb_load_balancer_by_the_clients_own_resume(ClientKind kind)
    {
        await using var balancer = new DumbBalancer(() => [.. Cluster.State.Replicas.Select(replica => replica.Url)]);
        await using var client = await ConnectAsync(kind, balancer.Endpoint);
        var owner = await OwnerOf(client);
        var call = client.Call("countdown", Countdown);
        await Wait.UntilAsync(() => call.Progress.Count >= 5, "some progress");

        owner.Kill();

        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => call.Progress.Count >= Steps, "all progress");
        AssertEveryStepOnce(kind, Steps, call.Progress);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_call_in_flight_finishes_on_the_same_HTTP_response(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var owner = await OwnerOf(client);
        using var response = await client.PostAsync(RawClient.ToolCall(7, "countdown", Countdown, progressToken: "steps"));
        await Wait.UntilAsync(() => response.Events.Count(e => e.Progress is not null) >= 5, "some progress");

        owner.Kill();

        await response.Read().WaitAsync(Limit);
        AssertEveryStepOnce(ClientKind.TypeScript, Steps, [.. response.Events.Where(e => e.Progress is not null).Select(e => e.Progress!.Value)]);
        Assert.Equal(Steps + 1, response.Messages.Count);
        Assert.Equal(7, (int)response.Messages[^1]["id"]!);
        Assert.Equal("liftoff", (string?)response.Messages[^1]["result"]!["content"]![0]!["text"]);
        Assert.Distinct(response.Events.Where(e => e.Message is not null).Select(e => e.Id));
    }

    [Fact]
    public async Task A_client_of_the_owner_itself_gets_the_rest_of_its_call_at_another_replica_by_Last_Event_ID()
    {
        var (first, second, _) = await ReplicasAsync();
        using var before = At(first, null);
        var session = await before.InitializeAsync();
        using var broken = await before.PostAsync(RawClient.ToolCall(7, "countdown", Countdown, progressToken: "steps"));
        await Wait.UntilAsync(() => broken.Events.Count(e => e.Progress is not null) >= 5, "some progress");

        Processes.Send(first.Pid, Processes.SigKill);

        await Assert.ThrowsAnyAsync<Exception>(() => broken.Read().WaitAsync(Limit));
        using var after = At(second, session);
        using var resumed = await after.GetAsync(broken.LastEventId);
        await resumed.EventAsync(e => (string?)e.Message?["result"]?["content"]![0]!["text"] == "liftoff", "the answer");
        var all = broken.Messages.Concat(resumed.Messages).ToArray();
        Assert.Equal(Steps + 1, all.Length);
        Assert.Equal(Enumerable.Range(1, Steps), all.SkipLast(1).Select(m => (int)m["params"]!["progress"]!));
        Assert.Equal(7, (int)all[^1]["id"]!);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Balancer)]
    [InlineData(ClientKind.CSharp, Access.Nginx)]
    public async Task A_call_that_must_not_run_twice_ends_with_an_error_that_says_so(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var call = client.Call("deliver", new { seconds = 3000 });
        await Wait.UntilAsync(() => Fixture.Deliveries(client.SessionId!) == 1, "the delivery to be on its way");

        owner.Kill();

        var error = await call.ErrorAsync().WaitAsync(Limit);
        Assert.Equal(-32010, error.Code);
        Assert.Contains("may have run", error.Message, StringComparison.Ordinal);
        Assert.Equal("still here", await client.CallAsync("echo", new { text = "still here" }));
        Assert.Equal(1, Fixture.Deliveries(client.SessionId!));
    }
}
