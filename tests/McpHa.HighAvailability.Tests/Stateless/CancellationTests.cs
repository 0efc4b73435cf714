using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>In revision 2026-07-28 a client that closes its stream cancels its call; in those with sessions it does not, for it may come back.</summary>
public sealed class CancellationTests
{
    [Fact]
    public async Task A_client_that_closes_its_stream_cancels_its_call()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var ended = EndOf(cluster);
        using var client = StatelessClient.New();
        var meta = StatelessClient.Meta();
        meta["progressToken"] = "p";
        var exchange = await client.AskAsync(cluster[0], "tools/call", new() { ["name"] = "once", ["arguments"] = new JsonObject(), ["_meta"] = meta });
        Assert.Equal("notifications/progress", (string?)(await exchange.MessageAsync())["method"]);

        exchange.Dispose();

        Assert.True(await ended.WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task A_client_of_a_session_that_goes_away_does_not()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var finish = new TaskCompletionSource();
        var ended = EndOf(cluster, finish.Task);
        using var client = await cluster.ConnectAsync();
        var call = client.Call("once", progress: true);
        var exchange = await client.PostAsync(cluster[0], call);
        await exchange.MessageAsync();

        exchange.Dispose();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the connection to be gone");
        finish.SetResult();

        Assert.False(await ended.WaitAsync(Wait.Limit));
        using var back = await client.GetAsync(cluster[0], exchange.LastId);
        Assert.Equal("done", RawClient.TextOf(await back.AnswerAsync()));
    }

    // Whether the call was cancelled.
    private static Task<bool> EndOf(InProcessCluster cluster, Task? finish = null)
    {
        var ended = new TaskCompletionSource<bool>();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            try
            {
                await (finish ?? Task.Delay(Timeout.Infinite)).WaitAsync(run.Cancelled);
                ended.SetResult(false);
                return "done";
            }
            catch (OperationCanceledException)
            {
                ended.SetResult(true);
                throw;
            }
        };
        return ended.Task;
    }
}
