using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Clients of HTTP+SSE (2024-11-05), which cannot resume, through the balancer: their one stream outlives its owners.</summary>
public sealed class LegacySseTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const int Steps = 20;

    private static readonly object Countdown = new { seconds = 2, intervalMs = 100 };
    private static readonly object Ada = new { action = "accept", content = new { name = "Ada" } };
    private static readonly object Summary = new { role = "assistant", model = "test", content = new { type = "text", text = "In short." } };

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_call_in_flight_finishes_on_another_replica_after_kill(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind);
        await client.CallAsync("notes_add", new { text = "before" });
        var owner = await OwnerOf(client);
        var call = client.Call("countdown", Countdown);
        await Wait.UntilAsync(() => call.Progress.Count >= 5, "some progress");

        owner.Kill();

        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => call.Progress.Count >= Steps, "all progress");
        AssertEveryStepOnce(kind, Steps, call.Progress);
        Assert.Equal("before", (string?)(await client.AskAsync("notes_list"))["notes"]![0]);
        var after = await OwnerOf(client);
        Assert.Equal((owner.Epoch + 1, owner.Session), (after.Epoch, after.Session));
        Assert.Empty(client.Trouble);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_call_that_must_not_run_twice_ends_with_an_error_that_says_so(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind);
        var owner = await OwnerOf(client);
        var call = client.Call("deliver", new { seconds = 3000 });
        await Wait.UntilAsync(() => Fixture.Deliveries(owner.Session!) == 1, "the delivery to be on its way");

        owner.Kill();

        Assert.Equal(-32010, (await call.ErrorAsync().WaitAsync(Limit)).Code);
        Assert.Equal("still here", await client.CallAsync("echo", new { text = "still here" }));
        Assert.Equal(1, Fixture.Deliveries(owner.Session!));
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task Announcements_go_on_through_kill_after_kill_each_once(ClientKind kind)
    {
        await using var listener = await ConnectAsync(kind);
        List<string> texts = [];
        List<string> killed = [];
        for (var round = 1; round <= 3; round++)
        {
            var owner = await OwnerOf(listener);
            using (var announcer = At(await AnotherAsync([owner.Replica, .. killed]), null))
            {
                await announcer.InitializeAsync();
                foreach (var number in (int[])[1, 2])
                {
                    texts.Add($"{round}.{number}");
                    Assert.Null((await announcer.CallAsync(number, "announce", new { text = texts[^1] }))["error"]);
                }
            }

            await Wait.UntilAsync(() => listener.Announcements.Count >= texts.Count, "the announcements");
            owner.Kill();
            killed.Add(owner.Replica);
        }

        await OwnerOf(listener);
        var heard = listener.Announcements;
        Assert.Equal(texts, kind == ClientKind.CSharp ? heard.Order() : heard);
        Assert.Empty(listener.Trouble);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task Questions_open_at_the_kill_are_asked_once_and_get_their_own_answers(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind);
        var owner = await OwnerOf(client);
        var name = client.Call("ask_name");
        await client.QuestionAsync();
        var summary = client.Call("summarize", new { text = "A long story." });
        await client.QuestionAsync(2);

        owner.Kill();
        foreach (var question in client.Questions.Reverse())
            await question.AnswerAsync(question.Method == "elicitation/create" ? Ada : Summary);

        Assert.Equal("Hello, Ada!", (await name.Answer.WaitAsync(Limit)).Text);
        Assert.Equal("In short.", (await summary.Answer.WaitAsync(Limit)).Text);
        Assert.Equal(2, client.Questions.Count);
        Assert.Empty(client.Trouble);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task A_replica_that_is_told_to_stop_hands_the_session_over_when_its_calls_have_finished(ClientKind kind)
    {
        await using var client = await ConnectAsync(kind);
        var owner = await OwnerOf(client);
        var delivery = client.Call("deliver", new { seconds = 1 });
        await Wait.UntilAsync(() => Fixture.Deliveries(owner.Session!) == 1, "the delivery to be on its way");

        owner.Terminate();

        Assert.Equal($"delivered by {owner.Replica}", (await delivery.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => !Processes.IsAlive(owner.ProcessId), "the replica to have stopped");
        var after = await OwnerOf(client);
        Assert.Equal((owner.Epoch + 1, owner.Session), (after.Epoch, after.Session));
        Assert.Empty(client.Trouble);
    }

    [Fact]
    public async Task A_client_that_would_take_the_revision_without_sessions_falls_back_to_one_with()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var client = await CSharpClient.ConnectAsync(Sse(Cluster.Endpoint), null, version: null, sse: true);
        Assert.NotNull((await OwnerOf(client)).Session);
    }

    [Theory]
    [MemberData(nameof(BothClients))]
    public async Task Behind_nginx_messages_reach_the_owner_wherever_they_land(ClientKind kind)
    {
        await ReplicasAsync();
        await using var client = await ConnectAsync(kind, Nginx);
        var owner = await OwnerOf(client);
        for (var number = 0; number < 8; number++)
            Assert.Equal($"{number}", await client.CallAsync("echo", new { text = $"{number}" }));
        Assert.Equal(owner, await OwnerOf(client));
    }

    private static Uri Sse(Uri endpoint) => new(endpoint, "/mcp/sse");

    private async Task<TestClient> ConnectAsync(ClientKind kind, Uri? endpoint = null)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        Assert.SkipWhen(kind == ClientKind.TypeScript && TypeScriptClient.Unavailable is not null, TypeScriptClient.Unavailable ?? "");
        var sse = Sse(endpoint ?? Cluster.Endpoint);
        return kind == ClientKind.TypeScript
            ? await TypeScriptClient.ConnectAsync(sse, null, sse: true)
            : await CSharpClient.ConnectAsync(sse, null, sse: true);
    }
}
