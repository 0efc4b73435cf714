using System.Net;
using System.Net.Http.Headers;

namespace McpHa.Tests;

/// <summary>What a page in a browser may do with a server, and what it may not.</summary>
public sealed class BrowserTests
{
    [Fact]
    public async Task A_page_that_rebinds_its_domain_to_this_machine_gets_nowhere()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var post = await client.PostAsync(replica, client.Call("once"), h => h.Host = "evil.example.com");
            using var get = await client.GetAsync(replica, headers: h => h.Host = "evil.example.com");
            using var foreign = await client.PostAsync(replica, client.Call("once"), Origin("https://evil.example.com"));
            Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], [post.Status, get.Status, foreign.Status]);
            Assert.Contains("HighAvailability:AllowedHosts", (string)(await post.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
            Assert.Contains("HighAvailability:AllowedOrigins", (string)(await foreign.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
        }

        Assert.Equal(0, cluster.Tool.Runs);
        using var here = await client.PostAsync(cluster[1], client.Call("once", "x"), Origin($"http://localhost:{cluster[1].Endpoint.Port}"));
        Assert.Equal("x", RawClient.TextOf(await here.AnswerAsync()));
        Assert.Null(here.Header("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task What_is_listed_is_let_in()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => (o.AllowedHosts, o.AllowedOrigins) = ("*.example.com", "https://app.example.com"));
        using var client = await cluster.ConnectAsync();
        using var call = await client.PostAsync(cluster[0], client.Call("once", "x"), h =>
        {
            h.Host = "mcp.example.com";
            h.TryAddWithoutValidation("Origin", "https://app.example.com");
        });
        Assert.Equal("x", RawClient.TextOf(await call.AnswerAsync()));
    }

    [Fact]
    public async Task A_listed_page_may_read_answers_also_of_another_owner_and_the_session_id_with_them()
    {
        await using var cluster = await InProcessCluster.StartAsync(2, o => o.AllowedOrigins = "https://app.example.com");
        using var client = await cluster.ConnectAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var call = await client.PostAsync(replica, client.Call("once", "x"), Origin("https://app.example.com"));
            Assert.Equal("https://app.example.com", call.Header("Access-Control-Allow-Origin"));
            Assert.Contains("Mcp-Session-Id", call.Header("Access-Control-Expose-Headers"), StringComparison.OrdinalIgnoreCase);
            using var error = await client.PostTextAsync(replica, "{", Origin("https://app.example.com"));
            Assert.Equal("https://app.example.com", error.Header("Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task A_browser_that_asks_first_is_told_what_it_may_send()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.AllowedOrigins = "https://app.example.com");
        using var http = new HttpClient();
        foreach (var (origin, allowed) in new[] { ("https://app.example.com", true), ("http://localhost:1", false) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, cluster[0].Endpoint);
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", "POST");
            request.Headers.Add("Access-Control-Request-Headers", "content-type,mcp-session-id,mcp-protocol-version,last-event-id,authorization,mcp-param-city");
            using var answer = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
            Assert.Equal(allowed, answer.Headers.TryGetValues("Access-Control-Allow-Headers", out var headers));
            if (allowed)
                Assert.Contains("mcp-param-city", string.Join(",", headers!), StringComparison.OrdinalIgnoreCase);
        }
    }

    private static Action<HttpRequestHeaders> Origin(string origin) => h => h.TryAddWithoutValidation("Origin", origin);
}
