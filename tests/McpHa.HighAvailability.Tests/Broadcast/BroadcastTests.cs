using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>Broadcasts reach the sessions that want them, wherever they are.</summary>
public sealed class BroadcastTests
{
    [Fact]
    public async Task A_log_message_reaches_the_sessions_of_all_replicas_whose_level_lets_it_through()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var all = await cluster.ConnectAsync(0);
        using var some = await cluster.ConnectAsync(1);
        using (var level = await some.PostAsync(cluster[1], some.Request("logging/setLevel", new JsonObject { ["level"] = "error" })))
            await level.AnswerAsync();
        using var toAll = await all.GetAsync(cluster[0]);
        using var toSome = await some.GetAsync(cluster[1]);
        await toAll.NextAsync();
        await toSome.NextAsync();
        var notifier = cluster[0].Get<IClusterNotifier>();

        await notifier.LogAsync(LoggingLevel.Info, "me", JsonSerializer.SerializeToElement("quiet"));
        await notifier.LogAsync(LoggingLevel.Error, null, JsonSerializer.SerializeToElement("loud"));

        var first = await toAll.MessageAsync();
        Assert.Equal(("quiet", "me", "info"), ((string?)first["params"]!["data"], (string?)first["params"]!["logger"], (string?)first["params"]!["level"]));
        Assert.Equal("loud", (string?)(await toAll.MessageAsync())["params"]!["data"]);
        Assert.Equal("loud", (string?)(await toSome.MessageAsync())["params"]!["data"]);
    }

    [Fact]
    public async Task An_update_reaches_the_sessions_that_have_subscribed_also_after_a_take_over()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var subscriber = await cluster.ConnectAsync(0);
        using var other = await cluster.ConnectAsync(2);
        using (var subscribed = await subscriber.PostAsync(cluster[0], subscriber.Request("resources/subscribe", new JsonObject { ["uri"] = "test://one" })))
            Assert.NotNull((await subscribed.AnswerAsync())["result"]);
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await subscriber.GetAsync(cluster[1]);
        using var silent = await other.GetAsync(cluster[2]);
        await stream.NextAsync();
        await silent.NextAsync();
        var notifier = cluster[2].Get<IClusterNotifier>();

        await notifier.ResourceUpdatedAsync("test://one");
        await notifier.ToolsChangedAsync();
        await notifier.PromptsChangedAsync();
        await notifier.ResourcesChangedAsync();

        var update = await stream.MessageAsync();
        Assert.Equal(("notifications/resources/updated", "test://one"), ((string?)update["method"], (string?)update["params"]!["uri"]));
        foreach (var listener in new[] { stream, silent })
        {
            foreach (var list in new[] { "tools", "prompts", "resources" })
                Assert.Equal($"notifications/{list}/list_changed", (string?)(await listener.MessageAsync())["method"]);
        }
    }
}
