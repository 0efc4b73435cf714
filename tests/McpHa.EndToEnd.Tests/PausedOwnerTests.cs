using System.Globalization;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is paused (SIGSTOP), its sessions are taken over, and it comes back, believing that it owns them.</summary>
public sealed class PausedOwnerTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [InlineData(ClientKind.TypeScript, Access.NonOwner)]
    [InlineData(ClientKind.CSharp, Access.Balancer)]
    public async Task A_paused_owner_costs_its_clients_nothing_but_time(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var call = client.Call("countdown", new { seconds = 2, intervalMs = 100 });
        await Wait.UntilAsync(() => call.Progress.Count >= 3, "some progress");

        owner.Pause();
        try
        {
            Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
            Assert.Equal(1, await CountAsync());
        }
        finally
        {
            owner.Continue();
        }

        Assert.Equal(2, await CountAsync());
        await Wait.UntilAsync(() => call.Progress.Count >= 20, "all progress");
        AssertEveryStepOnce(kind, 20, call.Progress);
        Assert.Equal(3, await CountAsync());
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(client)).Epoch);
        await WaitUntilTrustedAsync(owner.ProcessId);

        async Task<long> CountAsync() => (long)(await client.AskAsync("counter_increment"))["value"]!;
    }

    [Fact]
    public async Task No_byte_of_a_fenced_owner_reaches_the_client()
    {
        var (first, second, _) = await ReplicasAsync();
        using var atOwner = At(first, null);
        using var elsewhere = At(second, await atOwner.InitializeAsync());
        using var call = await atOwner.PostAsync(RawClient.ToolCall("steps", "countdown", new { seconds = 60, intervalMs = 50 }, progressToken: "steps"));
        using var stream = await atOwner.GetAsync();
        await stream.EventAsync(e => e.Id is not null, "the stream to begin");
        await Wait.UntilAsync(() => call.Messages.Count >= 3, "the call to run");

        Processes.Send(first.Pid, Processes.SigStop);
        int calls, events;
        string written;
        try
        {
            // Taken over when its heartbeat is overdue; whatever it had sent before has arrived long since.
            Assert.Equal(1, Value(await elsewhere.CallAsync("count-1", "counter_increment")));
            Assert.Equal(2, (await OwnerOf(elsewhere)).Epoch);
            (calls, events) = (call.Events.Count, stream.Events.Count);
            written = await JournalOfFirstOwnerAsync();
            Assert.Contains("notifications/progress", written, StringComparison.Ordinal);
        }
        finally
        {
            Processes.Send(first.Pid, Processes.SigCont);
        }

        // It goes on counting, is refused by the store, and cuts both off.
        await Assert.ThrowsAnyAsync<Exception>(() => call.Read().WaitAsync(Limit));
        await Assert.ThrowsAnyAsync<Exception>(() => stream.Read().WaitAsync(Limit));
        Assert.IsNotType<TimeoutException>(call.Read().Exception?.InnerException);
        Assert.Equal((calls, events), (call.Events.Count, stream.Events.Count));
        Assert.Equal(written, await JournalOfFirstOwnerAsync());

        // From now on it forwards like any other replica.
        Assert.Equal(2, Value(await atOwner.CallAsync("count-2", "counter_increment")));
        Assert.Equal(2, (await OwnerOf(atOwner)).Epoch);

        // The call still runs at the new owner, which would wait for it when it is told to stop.
        using var deleted = await elsewhere.DeleteAsync();
        await WaitUntilTrustedAsync(first.Pid);

        // A new owner begins 2^20 positions further on: what is below is the first one's.
        async Task<string> JournalOfFirstOwnerAsync()
        {
            var port = int.Parse(Cluster.State.Redis!.ConnectionString.Split(',')[0].Split(':')[^1], CultureInfo.InvariantCulture);
            var entries = await RedisCommand.SendAsync(port, $"LRANGE mcp-ha:lab:{{{atOwner.SessionId}}}:journal 0 -1");
            return string.Join('\n', entries.Split('\n').Where(entry => long.Parse(entry.Split(' ')[0], CultureInfo.InvariantCulture) < 1 << 20));
        }
    }

    [Fact]
    public async Task Requests_that_waited_in_a_paused_owner_are_answered_by_the_new_owner()
    {
        var (first, second, _) = await ReplicasAsync();
        using var atOwner = At(first, null);
        var session = await atOwner.InitializeAsync();
        using var elsewhere = At(second, session);
        Assert.Equal(1, Value(await atOwner.CallAsync("count-1", "counter_increment")));

        Processes.Send(first.Pid, Processes.SigStop);
        Task<JsonNode> count, delivery;
        try
        {
            count = atOwner.CallAsync("count-2", "counter_increment");
            delivery = atOwner.CallAsync("delivery", "deliver", new { seconds = 0 });
            Assert.Equal(2, Value(await elsewhere.CallAsync("count-3", "counter_increment")));
        }
        finally
        {
            Processes.Send(first.Pid, Processes.SigCont);
        }

        Assert.Equal(3, Value(await count.WaitAsync(Limit)));
        Assert.StartsWith("delivered by ", (string?)(await delivery.WaitAsync(Limit))["result"]!["content"]![0]!["text"], StringComparison.Ordinal);
        Assert.Equal(1, Fixture.Deliveries(session));
        Assert.Equal(4, Value(await elsewhere.CallAsync("count-4", "counter_increment")));
        await WaitUntilTrustedAsync(first.Pid);
    }

    // Until its heartbeat is heard again, the others take from it what it opens: the next test would start in disorder.
    private async Task WaitUntilTrustedAsync(int processId)
    {
        var replicas = Cluster.State.Replicas;
        var back = replicas.Single(replica => replica.Pid == processId);
        foreach (var other in replicas.Where(replica => replica != back && Processes.IsUp(replica.Pid)))
        {
            await Wait.UntilAsync(
                async () =>
                {
                    using var opener = At(back, null);
                    using var elsewhere = At(other, await opener.InitializeAsync());
                    return (await OwnerOf(elsewhere)).ProcessId == processId;
                },
                $"{other.Id} to trust {back.Id} again");
        }
    }

    private static int Value(JsonNode answer)
    {
        Assert.True(answer["result"]?["structuredContent"] is not null, answer.ToJsonString());
        return (int)answer["result"]!["structuredContent"]!["value"]!;
    }
}
