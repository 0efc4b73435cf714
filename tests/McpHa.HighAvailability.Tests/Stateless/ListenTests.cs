using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Http;

namespace McpHa.Tests;

/// <summary><c>subscriptions/listen</c>: a stream that hears of changes anywhere in the cluster.</summary>
public sealed class ListenTests
{
    [Fact]
    public async Task A_listener_is_acknowledged_and_hears_what_it_asked_for_from_any_replica_and_nothing_else()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = StatelessClient.New();
        using var stream = await client.AskAsync(cluster[1], "subscriptions/listen", Listen(tools: true, prompts: true, "test://one"));
        var notifier = cluster[0].Get<IClusterNotifier>();

        var acknowledged = await stream.MessageAsync();
        Assert.Equal("notifications/subscriptions/acknowledged", (string?)acknowledged["method"]);
        var granted = acknowledged["params"]!["notifications"]!;
        Assert.True((bool)granted["toolsListChanged"]!);
        Assert.Null(granted["promptsListChanged"]); // this server has none
        Assert.Equal("test://one", (string?)granted["resourceSubscriptions"]![0]);

        await notifier.PromptsChangedAsync();
        await notifier.ResourcesChangedAsync();
        await notifier.ResourceUpdatedAsync("test://two");
        await notifier.ResourceUpdatedAsync("test://one");
        await notifier.ToolsChangedAsync();
        var (updated, changed) = (await stream.MessageAsync(), await stream.MessageAsync());

        Assert.Equal(("notifications/resources/updated", "test://one"), ((string?)updated["method"], (string?)updated["params"]!["uri"]));
        Assert.Equal("notifications/tools/list_changed", (string?)changed["method"]);
        Assert.All([acknowledged, updated, changed], message => Assert.Equal(1, (int)message["params"]!["_meta"]!["io.modelcontextprotocol/subscriptionId"]!));
    }

    [Fact]
    public async Task A_listener_that_has_its_acknowledgement_is_told_of_everything_that_it_may_have_missed()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var stream = await client.AskAsync(cluster[0], "subscriptions/listen", Listen(tools: true, prompts: false, "test://one"), headers =>
        {
            headers["Mcp-Ha-Relay"] = "1";
            headers["Mcp-Ha-Again"] = "1";
        });

        var told = new[] { await stream.MessageAsync(), await stream.MessageAsync() };

        Assert.Equal(["notifications/resources/updated", "notifications/tools/list_changed"], told.Select(message => (string?)message["method"]).Order());
    }

    [Fact]
    public async Task A_listener_ends_when_its_replica_does_and_leaves_nothing_behind_when_it_goes()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var streams = cluster[0].Get<ListenStreams>();
        using var client = StatelessClient.New();
        var gone = await client.AskAsync(cluster[0], "subscriptions/listen", Listen(tools: true, prompts: false));
        using var stays = await client.AskAsync(cluster[0], "subscriptions/listen", Listen(tools: true, prompts: false));
        await gone.MessageAsync();
        await stays.MessageAsync();

        gone.Dispose();
        await Wait.UntilAsync(() => streams.Count == 1, "the stream to be given up");
        streams.EndAll(forGood: true);

        // The answer to the request is the end of the subscription.
        Assert.NotNull((await stays.MessageAsync())["result"]);
        Assert.Null(await stays.NextAsync());
        Assert.Equal(0, streams.Count);
    }

    [Fact]
    public void A_slow_listener_keeps_one_notification_of_a_kind()
    {
        var stream = new ListenStream(new() { ToolsListChanged = true, ResourceSubscriptions = ["a", "b"] });
        for (var i = 0; i < 1_000; i++)
            stream.PostAll();
        stream.End();

        Assert.Equal(3, stream.ReadAsync(default).ToBlockingEnumerable().Count());
    }

    private static JsonObject Listen(bool tools, bool prompts, params string[] resources)
    {
        var notifications = new JsonObject { ["toolsListChanged"] = tools, ["promptsListChanged"] = prompts };
        if (resources.Length > 0)
            notifications["resourceSubscriptions"] = new JsonArray([.. resources.Select(uri => JsonValue.Create(uri))]);
        return new() { ["notifications"] = notifications };
    }
}
