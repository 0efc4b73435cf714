namespace McpHa.Tests;

/// <summary>A handler ends its response, and its client comes back for the rest.</summary>
public sealed class PollingTests
{
    [Fact]
    public async Task A_response_that_its_handler_ends_says_when_to_come_back_and_the_rest_comes_then()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var back = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.LogAsync("before");
            await run.EndResponseAsync(TimeSpan.FromMilliseconds(300));
            await cluster.Tool.UntilAsync(back.Task);
            return "after";
        };

        using var first = await client.PostAsync(cluster[0], client.Call("once"));
        Assert.Equal("before", (string?)(await first.MessageAsync())["params"]!["data"]);
        Assert.Empty((await first.MessagesAsync()));
        Assert.Equal("300", first.Retry);

        using var second = await client.GetAsync(cluster[1], first.LastId);
        back.SetResult();
        Assert.Equal("after", RawClient.TextOf(await second.AnswerAsync()));
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_client_of_a_revision_without_it_keeps_its_response()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync(version: "2025-06-18");
        cluster.Tool.Body = async run =>
        {
            await run.LogAsync("before");
            await run.EndResponseAsync(TimeSpan.FromMilliseconds(300));
            return "after";
        };

        using var exchange = await client.PostAsync(cluster[0], client.Call("once"));

        Assert.Equal("after", RawClient.TextOf(await exchange.AnswerAsync()));
        Assert.Null(exchange.Retry);
        Assert.DoesNotContain(exchange.Seen, e => e.Message is null);
    }
}
