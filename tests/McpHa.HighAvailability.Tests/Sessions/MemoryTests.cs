
namespace McpHa.Tests;

/// <summary>What is counted for the whole process is counted when nothing else runs.</summary>
[CollectionDefinition(nameof(MemoryTests), DisableParallelization = true)]
public sealed class RunsAlone;

[Collection(nameof(MemoryTests))]
public sealed class MemoryTests(ITestOutputHelper output)
{
    [Fact]
    public async Task An_idle_session_costs_at_most_25_KB()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        List<RawClient> clients = [];
        for (var n = 0; n < 20; n++)
            clients.Add(await OpenAsync());

        // What tests before this one have left may be freed meanwhile, and first sessions allocate what stays for all. So the median counts.
        List<long> each = [];
        while (each.Count < 5)
        {
            var before = GC.GetTotalMemory(forceFullCollection: true);
            for (var n = 0; n < 200; n++)
                clients.Add(await OpenAsync());
            each.Add((GC.GetTotalMemory(forceFullCollection: true) - before) / 200);
        }

        GC.KeepAlive(clients);
        output.WriteLine($"{string.Join(", ", each)} bytes per idle session");

        Assert.InRange(each.Order().ElementAt(2), 1, 25 * 1024);

        // One HTTP client for all: only what the server keeps is counted.
        async Task<RawClient> OpenAsync()
        {
            if (clients.Count == 0)
                return await cluster.ConnectAsync();
            clients[0].SessionId = null;
            using var opened = await clients[0].PostAsync(cluster[0], clients[0].Initialize());
            clients[0].SessionId = opened.Header("Mcp-Session-Id");
            await opened.AnswerAsync();
            (await clients[0].PostAsync(cluster[0], RawClient.Notification("notifications/initialized"))).Dispose();
            await clients[0].CallAsync(cluster[0], "again");
            return clients[0];
        }
    }
}
