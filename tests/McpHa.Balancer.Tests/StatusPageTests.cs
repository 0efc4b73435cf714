using System.Text.Json;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

public class StatusPageTests
{
    [Fact]
    public async Task The_page_shows_replicas_and_what_happened_to_a_browser_without_scripts()
    {
        await using var bench = await BalancerBench.StartAsync();
        var dead = await bench.AddAsync("first");
        await bench.AddAsync("second", replica => replica.Info with { Sessions = 1234, Version = "<b>", Instance = "pod-2" });
        var session = SessionIds.New("first");
        var info = dead.Info;
        await dead.StopAsync();
        await bench.SetAsync(info with { Sessions = 77, Calls = 5 }, TimeSpan.Zero);
        (await bench.SendAsync(BalancerBench.Post(session))).Dispose();

        using var response = await GetPageAsync(bench);
        var page = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/html", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("1 of 2 replicas take sessions, 1 lost.", page, StringComparison.Ordinal);
        Assert.Contains("<td class=\"lost\">lost</td>", page, StringComparison.Ordinal);
        Assert.Contains("<td class=\"alive\">alive</td>", page, StringComparison.Ordinal);
        Assert.Contains("1,234 sessions", page, StringComparison.Ordinal);
        Assert.Contains("pod-2", page, StringComparison.Ordinal);
        Assert.Contains("<b>first</b> was lost", page, StringComparison.Ordinal);
        Assert.Contains("1 request resumed at second", page, StringComparison.Ordinal);
        Assert.DoesNotContain(">77<", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain(session, page, StringComparison.Ordinal);
        Assert.DoesNotContain("data-operation=\"", page[..page.IndexOf("<script>", StringComparison.Ordinal)], StringComparison.Ordinal);
        Assert.Equal("no-store", response.Headers.CacheControl!.ToString());
        Assert.StartsWith("default-src 'none'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
    }

    [Theory]
    [InlineData("/status.json", null)]
    [InlineData("/?format=json", "text/html")]
    [InlineData("/", "application/json")]
    public async Task The_same_comes_as_json(string path, string? accept)
    {
        await using var bench = await BalancerBench.StartAsync();
        await bench.AddAsync("a", replica => replica.Info with { Sessions = 3, Calls = 2, Draining = true, Stays = true });
        (await bench.SendAsync(BalancerBench.Post())).Dispose();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (accept is not null)
            request.Headers.Accept.ParseAdd(accept);
        using var response = await bench.SendAsync(request);
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        var status = json.RootElement;
        var replica = status.GetProperty("replicas")[0];
        Assert.Equal(
            ("a", "draining", true, 3),
            (replica.GetProperty("id").GetString(), replica.GetProperty("state").GetString(), replica.GetProperty("stays").GetBoolean(), replica.GetProperty("sessions").GetInt32()));
        Assert.Equal((1, 0), (status.GetProperty("totals").GetProperty("alive").GetInt32(), status.GetProperty("totals").GetProperty("serving").GetInt32()));
        Assert.Equal(1, status.GetProperty("totals").GetProperty("relayed").GetInt64());
        Assert.True(status.GetProperty("redis").GetProperty("reachable").GetBoolean());
    }

    [Fact]
    public async Task The_timeline_is_that_of_the_whole_cluster_and_joins_what_belongs_together()
    {
        var bus = new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance);
        await using var bench = await BalancerBench.StartAsync(services: services => services.AddSingleton<IEventBus>(bus));
        await bench.AddAsync("a");
        await bench.AddAsync("b");
        await WaitForAsync(bench, "joined a, joined b");
        await bench.SetAsync(bench.Directory.Find("a")! with { Draining = true, Stays = true });
        await WaitForAsync(bench, "drained a");
        await bench.SetAsync(bench.Directory.Find("a")! with { Draining = false, Stays = false });
        await WaitForAsync(bench, "resumed a");
        await bench.SetAsync(bench.Directory.Find("a")! with { Draining = true });
        await WaitForAsync(bench, "stopping a");
        bench.Registry.Remove("a");
        await bench.Directory.RefreshAsync();
        await WaitForAsync(bench, "left a");
        bench.Directory.ReportUnreachable("b");
        await WaitForAsync(bench, "lost b");

        // Take-overs that this balancer has nothing to do with. The subscription may still be on its way.
        await Wait.UntilAsync(
            async () =>
            {
                foreach (var took in new[] { 30, 10, 20 })
                    await new TakeOverNews(SessionIds.New("a"), 2, "a", "c", TakeOverReasons.OwnerLost, TimeSpan.FromMilliseconds(took)).AnnounceAsync(bus);
                return (await TimelineAsync(bench)).Any(entry => Text(entry, "kind") == "taken-over");
            },
            "the take-overs to be heard");
        var news = Assert.Single(await TimelineAsync(bench), entry => Text(entry, "kind") == "taken-over");
        Assert.Equal(("a", "c", "owner-lost"), (Text(news, "replica"), Text(news, "to"), Text(news, "reason")));
        Assert.InRange(news.GetProperty("typicalMs").GetDouble(), 10, 30);

        bench.Registry.IsAway = true;
        await bench.Directory.RefreshAsync();
        await WaitForAsync(bench, "registry-away ");
        bench.Registry.IsAway = false;
        await bench.Directory.RefreshAsync();
        await WaitForAsync(bench, "registry-back ");
    }

    [Fact]
    public void Pauses_of_one_death_are_one_entry()
    {
        var timeline = new Timeline(TimeProvider.System);
        for (var n = 1; n <= 1001; n++)
            timeline.Add(TimelineKind.TakenOver, "a", "b", "owner-lost", TimeSpan.FromMilliseconds(n));
        timeline.Add(TimelineKind.TakenOver, "a", "c", "owner-lost", TimeSpan.FromMilliseconds(5));
        timeline.Add(TimelineKind.TakenOver, "a", "b", "handed-over", TimeSpan.FromMilliseconds(5));

        var entries = timeline.Recent();
        Assert.Equal(3, entries.Count);
        var first = Assert.Single(entries, entry => entry.Count > 1);
        Assert.Equal((1001, 1001d), (first.Count, first.LongestMs));
        Assert.InRange(first.TypicalMs!.Value, 300, 700);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/status.json")]
    [InlineData("/status/events")]
    [InlineData("/metrics")]
    public async Task The_page_can_be_turned_off(string path)
    {
        await using var bench = await BalancerBench.StartAsync(o => o.StatusPage = false);
        (await bench.AddAsync("a")).Answer = (context, _) => context.Response.WriteAsync("of the replica");
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("application/json");
        using var response = await bench.SendAsync(request);
        Assert.Equal("of the replica", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_page_can_have_an_address_of_its_own()
    {
        var status = BalancerBench.FreeAddress();
        await using var bench = await BalancerBench.StartAsync(o => o.StatusAddress = status);

        // Beside those of the settings, not in place of them: ASP.NET Core's own is localhost.
        Assert.Equal("127.0.0.1", bench.Client.BaseAddress!.Host);
        (await bench.AddAsync("a")).Answer = (context, _) => context.Response.WriteAsync("of the replica");

        foreach (var path in new[] { "/status.json", "/status/events" })
        {
            // What the request says of the host counts for nothing.
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Host = status.Authority;
            using var elsewhere = await bench.SendAsync(request);
            Assert.Equal("of the replica", await elsewhere.Content.ReadAsStringAsync());
        }

        using var page = await bench.Client.GetAsync(new Uri(status, "/status.json"));
        Assert.Contains("\"replicas\"", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--http_ports=8080;8081 --https_ports=8443", "http://*:8080 http://*:8081 https://*:8443 http://127.0.0.1:5201")]
    [InlineData("--urls=http://10.0.0.1:80;http://10.0.0.1:81 --http_ports=8080", "http://10.0.0.1:80 http://10.0.0.1:81 http://127.0.0.1:5201")]
    [InlineData("--urls= --http_ports= --https_ports=", "http://localhost:5000 http://127.0.0.1:5201")]
    public async Task The_address_of_the_page_comes_beside_those_that_are_set(string settings, string addresses)
    {
        await using var app = WebApplication.CreateSlimBuilder(settings.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Build();

        StatusPlace.Of(app, new Uri("http://127.0.0.1:5201"));

        Assert.Equal(addresses.Split(' '), app.Urls);
    }

    private static Task<HttpResponseMessage> GetPageAsync(BalancerBench bench)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Accept.ParseAdd("text/html");
        return bench.SendAsync(request);
    }

    private static async Task WaitForAsync(BalancerBench bench, string entries)
    {
        foreach (var wanted in entries.Split(", "))
        {
            await Wait.UntilAsync(
                async () => (await TimelineAsync(bench)).Any(entry => $"{Text(entry, "kind")} {Text(entry, "replica")}" == wanted), $"the timeline to say: {wanted}");
        }
    }

    private static async Task<List<JsonElement>> TimelineAsync(BalancerBench bench)
    {
        using var response = await bench.Client.GetAsync("/status.json");
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return [.. json.RootElement.GetProperty("timeline").Clone().EnumerateArray()
            .SelectMany(entry => entry.GetProperty("followed").EnumerateArray().Prepend(entry))];
    }

    private static string? Text(JsonElement element, string property) => element.GetProperty(property).GetString();
}
