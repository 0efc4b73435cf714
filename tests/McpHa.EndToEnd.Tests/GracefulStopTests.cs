using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is told to stop (SIGTERM), as a rolling deployment does.</summary>
public sealed class GracefulStopTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Balancer)]
    [InlineData(ClientKind.CSharp, Access.Nginx)]
    public async Task An_idle_session_is_handed_over(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        await client.CallAsync("notes_add", new { text = "before" });
        var owner = await OwnerOf(client);

        owner.Terminate();

        // All the while that it stops, and afterwards.
        List<string> notes = ["before"];
        do
        {
            notes.Add($"note {notes.Count}");
            Assert.Equal(notes, (await client.AskAsync("notes_add", new { text = notes[^1] }))["notes"]!.AsArray().Select(note => (string)note!));
        }
        while (Processes.IsAlive(owner.ProcessId));

        Assert.Equal(notes, (await client.AskAsync("notes_list"))["notes"]!.AsArray().Select(note => (string)note!));
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(client)).Epoch);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.NonOwner)]
    [InlineData(ClientKind.CSharp, Access.Balancer)]
    public async Task A_call_in_flight_finishes_first_even_one_that_must_not_run_twice(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var delivery = client.Call("deliver", new { seconds = 2 });
        var countdown = client.Call("countdown", new { seconds = 1.5, intervalMs = 100 });
        await Wait.UntilAsync(() => Fixture.Deliveries(client.SessionId!) == 1 && countdown.Progress.Count > 2, "both calls to run");

        owner.Terminate();

        Assert.Equal($"delivered by {owner.Replica}", (await delivery.Answer.WaitAsync(Limit)).Text);
        Assert.Equal("liftoff", (await countdown.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => countdown.Progress.Count >= 15, "all progress");
        AssertEveryStepOnce(kind, 15, countdown.Progress);
        await Wait.UntilAsync(() => !Processes.IsAlive(owner.ProcessId), "the replica to have stopped");
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(client)).Epoch);
        Assert.Equal(1, Fixture.Deliveries(client.SessionId!));
        AssertNoTrouble(client, access);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_open_GET_stream_goes_on_on_the_same_HTTP_response(Access access)
    {
        using var listener = await ConnectRawAsync(access);
        using var stream = await listener.GetAsync();
        await stream.EventAsync(e => e.Id is not null, "the stream to begin");
        var owner = await OwnerOf(listener);
        using var announcer = At(await AnotherAsync(owner.Replica), null);
        await announcer.InitializeAsync();
        await announcer.CallAsync(1, "announce", new { text = "1" });
        await stream.EventAsync(e => e.Announcement == "1", "the announcement before");

        owner.Terminate();
        await Wait.UntilAsync(() => !Processes.IsAlive(owner.ProcessId), "the replica to have stopped");
        Assert.NotEqual(owner.Replica, (await OwnerOf(listener)).Replica);

        await announcer.CallAsync(2, "announce", new { text = "2" });
        await stream.EventAsync(e => e.Announcement == "2", "the announcement afterwards");
        Assert.Equal(["1", "2"], stream.Events.Where(e => e.Announcement is not null).Select(e => e.Announcement));
    }
}
