using System.Net;
using System.Text.Json;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Status.Page;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.Tests;

/// <summary>The figures that a person on call goes by.</summary>
public sealed class ClusterFiguresTests
{
    [Fact]
    public async Task Sessions_are_counted_by_their_records_and_those_without_a_live_owner_wait_for_their_clients()
    {
        var figures = new Figures(36) { MemoryUsed = 3 << 20 };
        await using var bench = await BalancerBench.StartAsync(services: services => services.AddSingleton<IStoreFigures>(figures));
        await bench.AddAsync("a", replica => replica.Info with { Sessions = 10 });

        var status = await StatusAsync(bench);

        Assert.Equal((36, 26), (Total(status, "sessions"), Total(status, "waiting")));
        Assert.Equal(3 << 20, status.GetProperty("redis").GetProperty("memoryUsed").GetInt64());
        var page = await PageAsync(bench);
        Assert.Contains("26 of them wait for their clients", page, StringComparison.Ordinal);
        Assert.Contains("3 MiB", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_replica_counts_as_missing_until_another_one_has_joined()
    {
        await using var bench = await BalancerBench.StartAsync();
        var dead = await bench.AddAsync("a", replica => replica.Info with { Sessions = 7 });
        await bench.AddAsync("b");
        await dead.StopAsync();
        bench.Directory.ReportUnreachable("a");

        var lost = await StatusAsync(bench);
        Assert.Equal((1, 0), (Total(lost, "unreplaced"), lost.GetProperty("replicas")[0].GetProperty("sessions").GetInt32()));
        Assert.Contains("1 of 2 replicas take sessions, 1 lost.", await PageAsync(bench), StringComparison.Ordinal);

        await bench.AddAsync("c", replica => replica.Info with { Started = DateTimeOffset.UtcNow.AddMinutes(1) });

        Assert.Equal(0, Total(await StatusAsync(bench), "unreplaced"));
        Assert.DoesNotContain("notable figure", await PageAsync(bench), StringComparison.Ordinal);
        var page = await PageAsync(bench);
        Assert.Contains("class=\"good\">All 2 replicas take sessions.", page, StringComparison.Ordinal);
        Assert.Contains("<td class=\"lost\">lost</td>", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Errors_are_counted_at_the_balancer_and_by_the_heartbeats_of_all_replicas()
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a", replica => replica.Info with { Faults = new(5, 5, 5) });
        Assert.Equal((0, 0, 0, 0, 0), Errors(await StatusAsync(bench)));

        await bench.SetAsync(replica.Info with { Faults = new(6, 7, 8) });
        await bench.SetAsync(FixedRegistry.Info("late") with { Faults = new(1, 0, 0) });
        replica.Answer = (context, number) => FakeReplica.JsonAsync(context, "{}", number == 1 ? 429 : 500);
        (await bench.SendAsync(BalancerBench.Post(SessionIds.New("a")))).Dispose();
        using var failed = await bench.SendAsync(BalancerBench.Post(SessionIds.New("a")));
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);

        Assert.Equal((2, 1, 1, 2, 3), Errors(await StatusAsync(bench)));
        Assert.Contains(
            "class=\"warn\">All 2 replicas take sessions. Redis answers. 4 notable figures below: Calls &quot;may have run&quot;, 429 responses, 5xx responses, " +
                "Unjournaled events.", await PageAsync(bench), StringComparison.Ordinal);
        Assert.Equal(2, (await StatusAsync(bench)).GetProperty("history").GetProperty("calls").EnumerateArray().Sum(minute => minute.GetInt64()));
    }

    [Fact]
    public async Task A_call_that_may_have_run_counts_once_and_not_as_a_5xx_response_too()
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a");
        replica.Answer = (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        var call = new StringContent("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"deliver"}}""");

        using var failed = await bench.SendAsync(BalancerBench.Post(version: "2026-07-28", body: call));

        Assert.Equal(HttpStatusCode.BadGateway, failed.StatusCode);
        Assert.Contains("may have run", await failed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var status = await StatusAsync(bench);
        Assert.Equal((1, 0, 0, 0, 0), Errors(status));
        Assert.Equal(1, status.GetProperty("history").GetProperty("errors").EnumerateArray().Sum(minute => minute.GetInt64()));
    }

    [Fact]
    public async Task Every_tile_leads_to_a_section_of_the_runbook()
    {
        await using var bench = await BalancerBench.StartAsync();
        var page = await PageAsync(bench);
        var runbook = await bench.Client.GetStringAsync("/status/runbook");

        Assert.Equal(14, Tile.All.Count);
        Assert.All(Tile.All, tile =>
        {
            Assert.Contains($"<a href=\"/status/runbook#{tile.Section}\">", page, StringComparison.Ordinal);
            Assert.Contains($"<h2 id=\"{tile.Section}\">", runbook, StringComparison.Ordinal);
        });
        Assert.All(Tile.All, tile => Assert.Contains($"<em>{tile.Name}</em>", SectionOf(runbook, tile.Section), StringComparison.Ordinal));
        Assert.DoesNotContain("](", runbook, StringComparison.Ordinal);
        Assert.Contains("<code>mcp.ha.writes.fenced</code>", runbook, StringComparison.Ordinal);
    }

    private static string SectionOf(string runbook, string section) =>
        WebUtility.HtmlDecode(runbook.Split($"<h2 id=\"{section}\">")[1].Split("<h2")[0]);

    private static int Total(JsonElement status, string name) => status.GetProperty("totals").GetProperty(name).GetInt32();

    private static (int MayHaveRun, int TooMany, int ServerErrors, int Fenced, int Unjournaled) Errors(JsonElement status)
    {
        var errors = status.GetProperty("errors");
        return (Of("mayHaveRun"), Of("tooManyRequests"), Of("serverErrors"), Of("fencedWrites"), Of("unjournaledEvents"));

        int Of(string name) => errors.GetProperty(name).GetInt32();
    }

    private static async Task<JsonElement> StatusAsync(BalancerBench bench)
    {
        using var json = JsonDocument.Parse(await bench.Client.GetStringAsync("/status.json"));
        return json.RootElement.Clone();
    }

    private static async Task<string> PageAsync(BalancerBench bench)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Accept.ParseAdd("text/html");
        using var response = await bench.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private sealed record Figures(long Sessions) : IStoreFigures
    {
        public long? MemoryUsed { get; init; }

        public ValueTask<StoreFigures> ReadAsync(CancellationToken cancellationToken = default) => new(new StoreFigures(Sessions) { MemoryUsed = MemoryUsed });
    }
}
