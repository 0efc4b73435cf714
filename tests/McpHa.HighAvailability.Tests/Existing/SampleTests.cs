using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>The samples of <c>docs/several-replicas.md</c> do what the page says.</summary>
public sealed class SampleTests
{
    [Fact]
    public async Task Subscribers_on_every_replica_hear_each_price_once_also_when_the_notifier_is_lost()
    {
        await using var cluster = await InProcessCluster.StartAsync(
            3, clusterOptions: options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(100), ha: ha => ha.AddClusterService<PriceWatch>());
        List<(RawClient Client, Exchange Stream)> subscribers = [];
        for (var replica = 0; replica < 3; replica++)
        {
            var client = await cluster.ConnectAsync(replica);
            using (var subscribed = await client.PostAsync(cluster[replica], client.Request("resources/subscribe", new() { ["uri"] = "price://acme" })))
                await subscribed.AnswerAsync();
            subscribers.Add((client, await client.GetAsync(cluster[replica])));
        }

        foreach (var (_, stream) in subscribers)
            await ThreeInOrderAsync(stream);
        var notifier = Enumerable.Range(0, 3).Single(replica => Watches(cluster[replica]));
        await cluster[notifier].StopAsync();
        await Wait.UntilAsync(() => Enumerable.Range(0, 3).Count(replica => replica != notifier && Watches(cluster[replica])) == 1, "the next notifier");
        foreach (var (client, stream) in subscribers.Where((_, replica) => replica != notifier))
        {
            // The next notifier begins with 1 again.
            while ((int)(await stream.MessageAsync())["params"]!["price"]! != 1)
            {
            }

            stream.Dispose();
            client.Dispose();
        }

        subscribers[notifier].Client.Dispose();

        static async Task ThreeInOrderAsync(Exchange stream)
        {
            var first = Price(await stream.MessageAsync());
            Assert.Equal((first + 1, first + 2), (Price(await stream.MessageAsync()), Price(await stream.MessageAsync())));
        }
    }

    [Fact]
    public async Task A_tool_that_one_replica_adds_is_on_all_of_them_and_on_those_that_start_later()
    {
        var table = new Table();
        await table.AddAsync("first", "1");
        await using var cluster = await InProcessCluster.StartAsync(
            server: mcp => mcp.Services.AddSingleton<IToolTable>(table).AddSingleton<ToolCatalog>().AddHostedService(services => services.GetRequiredService<ToolCatalog>()));
        using var one = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync(1);
        using var oneStream = await one.GetAsync(cluster[0]);
        using var otherStream = await other.GetAsync(cluster[1]);
        Assert.Equal("1", await other.CallAsync(cluster[1], "first"));
        using var stateless = StatelessClient.New();
        var listen = new JsonObject { ["notifications"] = new JsonObject { ["toolsListChanged"] = true } };
        using var listening = await stateless.AskAsync(cluster[1], "subscriptions/listen", listen);
        await listening.MessageAsync();

        await cluster[0].Get<ToolCatalog>().AddAsync("second", "2");

        foreach (var (client, stream, replica) in new[] { (one, oneStream, 0), (other, otherStream, 1) })
        {
            Assert.Equal(NotificationMethods.ToolListChangedNotification, (string?)(await stream.MessageAsync())["method"]);
            Assert.Equal("2", await client.CallAsync(cluster[replica], "second"));
        }

        Assert.Equal(NotificationMethods.ToolListChangedNotification, (string?)(await listening.MessageAsync())["method"]);
        using var called = await stateless.AskAsync(cluster[1], "tools/call", new() { ["name"] = "second", ["arguments"] = new JsonObject() });
        Assert.Equal("2", RawClient.TextOf(await called.AnswerAsync()));
    }

    [Fact]
    public async Task A_tool_that_is_added_is_told_once()
    {
        var table = new Table();
        await using var cluster = await InProcessCluster.StartAsync(
            1,
            server: mcp => mcp.Services.AddSingleton<IToolTable>(table).AddSingleton<ToolCatalog>()
                .AddHostedService(services => services.GetRequiredService<ToolCatalog>()));
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        using var stateless = StatelessClient.New();
        var listen = new JsonObject
        {
            ["notifications"] = new JsonObject { ["toolsListChanged"] = true, ["resourceSubscriptions"] = new JsonArray("test://one") },
        };
        using var listening = await stateless.AskAsync(cluster[0], "subscriptions/listen", listen);
        await listening.MessageAsync();
        using (var subscribed = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = "test://one" })))
            await subscribed.AnswerAsync();

        await cluster[0].Get<ToolCatalog>().AddAsync("added", "1");
        string?[] told = [(string?)(await stream.MessageAsync())["method"], (string?)(await listening.MessageAsync())["method"]];
        await cluster[0].Get<IClusterNotifier>().ResourceUpdatedAsync("test://one");

        Assert.All(told, method => Assert.Equal(NotificationMethods.ToolListChangedNotification, method));
        foreach (var next in new[] { stream, listening })
            Assert.Equal(NotificationMethods.ResourceUpdatedNotification, (string?)(await next.MessageAsync())["method"]);
    }

    [Fact]
    public async Task The_path_chooses_the_tools_of_a_session()
    {
        await using var cluster = await InProcessCluster.StartAsync(ha: ha => ha.ConfigureSessionOptions(TenantTools.ConfigureAsync), route: "/mcp/{category?}");
        using var client = await cluster.ConnectAsync(category: "/math");
        await cluster.CutOffAsync(cluster[0]);
        using var answer = await client.PostAsync(cluster[1], client.Request("tools/call", new() { ["name"] = "add", ["arguments"] = new JsonObject { ["a"] = 2, ["b"] = 3 } }));
        Assert.Equal("5", RawClient.TextOf(await answer.AnswerAsync()));
    }

    private static bool Watches(InProcessReplica replica) => replica.Get<IEnumerable<IHostedService>>().OfType<ClusterService<PriceWatch>>().Single().IsRunning;

    private static int Price(JsonNode message) => (int)message["params"]!["price"]!;

    private sealed class Table : IToolTable
    {
        private readonly ConcurrentDictionary<string, string> _rows = new();

        public Task<IReadOnlyDictionary<string, string>> ReadAsync() => Task.FromResult<IReadOnlyDictionary<string, string>>(_rows);

        public Task AddAsync(string name, string text)
        {
            _rows[name] = text;
            return Task.CompletedTask;
        }
    }
}
