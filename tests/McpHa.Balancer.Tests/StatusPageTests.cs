using System.Text.Json;
using McpHa.HighAvailability.Affinity;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests;

public class StatusPageTests
{
    [Fact]
    public async Task The_page_shows_replicas_and_failovers_to_a_browser_without_scripts()
    {
        await using var bench = await BalancerBench.StartAsync();
        var dead = await bench.AddAsync("first");
        await bench.AddAsync("second", replica => replica.Info with { Sessions = 1234, Version = "<b>" });
        var session = SessionIds.New("first");
        var info = dead.Info;
        await dead.StopAsync();
        await bench.SetAsync(info, TimeSpan.FromSeconds(1));
        (await bench.SendAsync(BalancerBench.Post(session))).Dispose();

        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Accept.ParseAdd("text/html");
        using var response = await bench.SendAsync(request);
        var page = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/html", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("<td class=\"lost\">lost</td>", page, StringComparison.Ordinal);
        Assert.Contains("<td class=\"alive\">alive</td>", page, StringComparison.Ordinal);
        Assert.Contains("1,234", page, StringComparison.Ordinal);
        Assert.Contains("<td>first</td><td>second</td>", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain(session, page, StringComparison.Ordinal);
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
        await bench.AddAsync("a", replica => replica.Info with { Sessions = 3, Calls = 2, Draining = true });
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (accept is not null)
            request.Headers.Accept.ParseAdd(accept);
        using var response = await bench.SendAsync(request);
        using var status = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        var replica = status.RootElement.GetProperty("replicas")[0];
        Assert.Equal(("a", "draining", 3), (replica.GetProperty("id").GetString(), replica.GetProperty("state").GetString(), replica.GetProperty("sessions").GetInt32()));
        Assert.Equal(1, status.RootElement.GetProperty("totals").GetProperty("alive").GetInt32());
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/status.json")]
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
        (await bench.AddAsync("a")).Answer = (context, _) => context.Response.WriteAsync("of the replica");

        // What the request says of the host counts for nothing.
        using var request = new HttpRequestMessage(HttpMethod.Get, "/status.json");
        request.Headers.Host = status.Authority;
        using var elsewhere = await bench.SendAsync(request);
        Assert.Equal("of the replica", await elsewhere.Content.ReadAsStringAsync());
        using var page = await bench.Client.GetAsync(new Uri(status, "/status.json"));
        Assert.Contains("\"replicas\"", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
