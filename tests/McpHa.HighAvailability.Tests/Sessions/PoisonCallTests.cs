using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>A call that may run again and takes its servers down with it ends after two of them.</summary>
public sealed class PoisonCallTests
{
    [Fact]
    public async Task A_call_that_has_lost_two_owners_ends_with_an_error_and_is_never_run_again()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        using var abandoned = new Counted(cluster[2], "mcp.ha.calls.abandoned");
        var call = client.Call("again", id: "poison", progress: true);
        using var first = await client.PostAsync(cluster[0], call);
        await first.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        // Any request takes the session over; the call runs again.
        await PingAsync(client, cluster[1]);
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2, "the second run");
        await cluster.CutOffAsync(cluster[1]);

        using var resumed = await client.GetAsync(cluster[2], first.LastId);
        AssertLost(await resumed.AnswerAsync(), 2, "poison");
        await PingAsync(client, cluster[2]);
        await cluster.CutOffAsync(cluster[2]);
        await PingAsync(client, cluster[3]);
        Assert.Equal((2, 1L), (cluster.Tool.Runs, abandoned.Value));
        Assert.Contains("'again'", Assert.Single(cluster[2].Errors), StringComparison.Ordinal);
        cluster.ErrorsExpected = true;

        // The next call is another one.
        cluster.Tool.Body = _ => Task.FromResult("fine");
        Assert.Equal("fine", await client.CallAsync(cluster[3], "again"));
    }

    [Fact]
    public async Task A_hand_over_is_no_loss()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        using var first = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await first.MessageAsync();
        for (var n = 0; n < 3; n++)
        {
            await new HandOver(cluster[n].Session(client.SessionId!)!).ReleaseAsync(evenWithCalls: true, default);
            await PingAsync(client, cluster[n + 1]);
            await Wait.UntilAsync(() => cluster.Tool.Runs == n + 2, "the call to run again");
        }

        cluster.Tool.Body = _ => Task.FromResult("done");
        await cluster.CutOffAsync(cluster[3]);
        using var resumed = await client.GetAsync(cluster[0], first.LastId);
        Assert.Equal("done", RawClient.TextOf(await resumed.AnswerAsync()));
    }

    [Fact]
    public async Task What_the_lost_owner_had_no_time_to_write_down_is_counted_as_the_relay_says()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);

        // A relay has lost the first owner under this call, and the bystander that has answered nothing was no owner.
        var call = client.Call("again", progress: true);
        using var second = await PostAsync(cluster[1], $"{cluster[0].Id},bystander");
        await second.MessageAsync();
        await cluster.CutOffAsync(cluster[1]);
        using var third = await PostAsync(cluster[2], $"{cluster[0].Id},{cluster[1].Id}");
        AssertLost(await third.AnswerAsync(), 2, call["id"]!.ToJsonString());
        Assert.Equal(1, cluster.Tool.Runs);
        cluster.ErrorsExpected = true;

        Task<Exchange> PostAsync(InProcessReplica replica, string begunAt) =>
            client.PostAsync(replica, call, headers => headers.TryAddWithoutValidation("Mcp-Ha-Begun", begunAt));
    }

    [Fact]
    public async Task After_a_loss_calls_are_written_down_before_they_run()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = _ => Task.FromResult("done");
        await cluster.CutOffAsync(cluster[0]);
        await PingAsync(client, cluster[1]);
        var beginning = cluster[1].Store.StopBefore("CommitAsync", c => ((Mcp.HighAvailability.Storage.SessionCommit)c!).Calls.Count > 0);

        var call = client.CallAsync(cluster[1], "again");
        await beginning.Reached;
        Assert.Equal(0, cluster.Tool.Runs);
        beginning.LetGo();
        Assert.Equal("done", await call);
    }

    [Fact]
    public async Task The_limit_is_an_option()
    {
        await using var cluster = await StartAsync(o => o.MaxReplicaLosses = 1);
        using var client = await cluster.ConnectAsync();
        using var first = await client.PostAsync(cluster[0], client.Call("again", id: 1, progress: true));
        await first.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], first.LastId);
        AssertLost(await resumed.AnswerAsync(), 1, "1");
        cluster.ErrorsExpected = true;
    }

    // Four replicas, and a tool that reports a step and comes to no end.
    private static async Task<InProcessCluster> StartAsync(Action<HighAvailabilityOptions>? options = null)
    {
        var cluster = await InProcessCluster.StartAsync(4, options);
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        return cluster;
    }

    private static async Task PingAsync(RawClient client, InProcessReplica replica)
    {
        using var pong = await client.PostAsync(replica, client.Request("ping"));
        Assert.NotNull((await pong.AnswerAsync())["result"]);
    }

    private static void AssertLost(JsonNode answer, int losses, string id)
    {
        Assert.Equal(id, answer["id"]!.ToString());
        var error = answer["error"]!;
        Assert.Equal((-32010, losses, "replicas-lost"), ((int)error["code"]!, (int)error["data"]!["losses"]!, (string?)error["data"]!["reason"]));
        Assert.Contains($"lost {losses} times while it ran 'again'", (string?)error["message"], StringComparison.Ordinal);
    }
}
