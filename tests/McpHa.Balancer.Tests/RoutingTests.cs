using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Routing;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests;

public class RoutingTests
{
    [Fact]
    public async Task A_session_goes_where_its_hint_points_and_then_where_its_owner_is()
    {
        await using var bench = await BalancerBench.StartAsync();
        var a = await bench.AddAsync("a");
        var b = await bench.AddAsync("b");
        var session = SessionIds.New("a");
        a.Answer = (context, _) => OwnedBy(context, "b"); // a forwards, and says so
        b.Answer = (context, _) => OwnedBy(context, "b");

        using var first = await bench.SendAsync(BalancerBench.Post(session));
        Assert.False(first.Headers.Contains("Mcp-Ha-Owner"));
        Assert.False(first.Headers.Contains("Server"));
        using var second = await bench.SendAsync(BalancerBench.Post(session));
        Assert.Equal((1, 1), (a.Requests.Count, b.Requests.Count));
    }

    [Fact]
    public async Task A_session_whose_owner_is_lost_goes_where_every_balancer_sends_it()
    {
        await using var bench = await BalancerBench.StartAsync();
        await using var other = await BalancerBench.StartAsync();
        var dead = await bench.AddAsync("dead");
        var replicas = new List<FakeReplica>();
        foreach (var id in (string[])["a", "b", "c"])
            replicas.Add(await bench.AddAsync(id));
        foreach (var replica in replicas)
            await other.SetAsync(replica.Info);

        var session = SessionIds.New("dead");
        var info = dead.Info;
        await dead.StopAsync();
        await bench.SetAsync(info, TimeSpan.FromSeconds(1));
        using var first = await bench.SendAsync(BalancerBench.Post(session));
        using var second = await other.SendAsync(BalancerBench.Post(session));
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        var expected = Rendezvous.Choose(session, [.. replicas.Select(replica => replica.Info)])!.Id;
        Assert.Equal(2, replicas.Single(replica => replica.Id == expected).Requests.Count);
    }

    [Fact]
    public async Task Correction_by_a_replica_that_is_not_the_owner_is_followed()
    {
        await using var bench = await BalancerBench.StartAsync();
        var a = await bench.AddAsync("a");
        var b = await bench.AddAsync("b");
        a.Answer = (context, _) =>
        {
            context.Response.StatusCode = 421;
            context.Response.Headers["Mcp-Ha-Owner"] = "b";
            return Task.CompletedTask;
        };
        using var response = await bench.SendAsync(BalancerBench.Post(SessionIds.New("a")));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single(b.Requests);
    }

    [Fact]
    public async Task New_sessions_go_to_less_loaded_replicas_and_never_to_draining_ones()
    {
        await using var bench = await BalancerBench.StartAsync();
        var idle = await bench.AddAsync("idle");
        var busy = await bench.AddAsync("busy", replica => replica.Info with { Calls = 1000 });
        var draining = await bench.AddAsync("draining", replica => replica.Info with { Draining = true });
        for (var i = 0; i < 20; i++)
            (await bench.SendAsync(BalancerBench.Post())).Dispose();
        Assert.Equal((20, 0, 0), (idle.Requests.Count, busy.Requests.Count, draining.Requests.Count));

        await bench.SetAsync(idle.Info with { Draining = true });
        await bench.SetAsync(busy.Info with { Draining = true });
        using var last = await bench.SendAsync(BalancerBench.Post()); // all drain: better one of them than none
        Assert.Equal(HttpStatusCode.OK, last.StatusCode);
    }

    [Fact]
    public async Task Every_path_and_method_that_is_not_the_balancers_own_is_relayed()
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a");
        foreach (var (method, path) in ((string, string)[])[("GET", "/sse"), ("POST", "/message?sessionId=1"), ("DELETE", "/mcp"), ("POST", "/"), ("OPTIONS", "/mcp"), ("GET", "/a.b/c%2Fd")])
            (await bench.SendAsync(new HttpRequestMessage(new HttpMethod(method), path))).Dispose();
        Assert.Equal(
            ["GET /sse", "POST /message?sessionId=1", "DELETE /mcp", "POST /", "OPTIONS /mcp", "GET /a.b/c%2Fd"],
            replica.Requests.Select(seen => $"{seen.Method} {seen.Target}"));
    }

    [Fact]
    public async Task A_request_waits_for_the_first_replica()
    {
        await using var bench = await BalancerBench.StartAsync();
        var answer = bench.SendAsync(BalancerBench.Post(SessionIds.New("a")));
        await Wait.UntilAsync(async () => (await bench.Client.GetStringAsync("/status.json")).Contains("\"relayed\": 1", StringComparison.Ordinal), "the request to be held");
        Assert.False(answer.IsCompleted);
        await bench.AddAsync("a");
        using var response = await answer;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task A_request_waits_no_longer_than_the_hold_time()
    {
        await using var bench = await BalancerBench.StartAsync(options => options.HoldTime = TimeSpan.FromMilliseconds(200));
        using var response = await bench.SendAsync(BalancerBench.Post());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Contains("-32012", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_bytes_of_bodies_than_allowed_are_refused_at_once_and_the_rest_is_served()
    {
        await using var bench = await BalancerBench.StartAsync(options => (options.MaxRequestBodySize, options.MaxBodyBytes) = (6000, 10_000));
        var held = bench.SendAsync(BalancerBench.Post(body: new ByteArrayContent(new byte[6000])));
        await Wait.UntilAsync(async () => (await bench.Client.GetStringAsync("/status.json")).Contains("\"heldBytes\": 6000", StringComparison.Ordinal), "the first to be held");
        using var refused = await bench.SendAsync(BalancerBench.Post(body: new ByteArrayContent(new byte[6000])));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Contains("Balancer:MaxBodyBytes", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        await bench.AddAsync("a");
        using var response = await held;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("\"heldBytes\": 0", await bench.Client.GetStringAsync("/status.json"), StringComparison.Ordinal);
        using var later = await bench.SendAsync(BalancerBench.Post(body: new ByteArrayContent(new byte[6000])));
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
    }

    [Theory]
    [InlineData("Content-Length: 6000", "")]
    [InlineData("Transfer-Encoding: chunked", "1770\r\n")]
    public async Task Bodies_that_are_promised_and_do_not_come_take_nothing_from_others(string promise, string beginning)
    {
        await using var bench = await BalancerBench.StartAsync(options => (options.MaxRequestBodySize, options.MaxBodyBytes) = (6000, 6000));
        await bench.AddAsync("a");
        var silent = new List<TcpClient>();
        for (var i = 0; i < 20; i++)
        {
            var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, bench.Client.BaseAddress!.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{promise}\r\n\r\n{beginning}"));
            silent.Add(client);
        }

        using var response = await bench.SendAsync(BalancerBench.Post(body: new ByteArrayContent(new byte[6000])));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        silent.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task A_call_without_a_session_is_not_sent_twice_and_what_opens_or_has_a_session_is()
    {
        await using var bench = await BalancerBench.StartAsync();
        var only = await bench.AddAsync("a");
        only.Answer = (context, number) =>
        {
            if (number == 2)
                return FakeReplica.JsonAsync(context, "{}");
            context.Abort();
            return Task.CompletedTask;
        };
        using var repeated = await bench.SendAsync(BalancerBench.Post(SessionIds.New("a"), "2025-11-25"));
        Assert.Equal(HttpStatusCode.OK, repeated.StatusCode);
        using var once = await bench.SendAsync(BalancerBench.Post(
            version: "2026-07-28", body: new StringContent("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"deliver"}}""")));
        Assert.Equal(HttpStatusCode.BadGateway, once.StatusCode);
        Assert.Equal(3, only.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_is_too_large_gets_a_clear_answer(bool knownLength)
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a");
        HttpContent body = knownLength ? new ByteArrayContent(new byte[5_000_000]) : new Endless(5_000_000);
        using var response = await bench.SendAsync(BalancerBench.Post(body: body));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        var error = await response.Content.ReadAsStringAsync();
        Assert.Contains("4194304 bytes", error, StringComparison.Ordinal);
        Assert.Contains("Balancer:MaxRequestBodySize", error, StringComparison.Ordinal);
        Assert.Contains("jsonrpc", error, StringComparison.Ordinal);
        Assert.Empty(replica.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_of_just_the_allowed_size_passes(bool knownLength)
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a");
        HttpContent body = knownLength ? new StringContent(new string(' ', 4 * 1024 * 1024)) : new Endless(4 * 1024 * 1024);
        using var response = await bench.SendAsync(BalancerBench.Post(body: body));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(4 * 1024 * 1024, Assert.Single(replica.Requests).Body.Length);
    }

    [Fact]
    public async Task A_stream_of_a_replica_that_offers_HTTP2_and_does_not_speak_it_goes_by_HTTP1()
    {
        await using var bench = await BalancerBench.StartAsync();
        var replica = await bench.AddAsync("a", replica => replica.Info with { Http2 = true });
        replica.Answer = (context, _) => FakeReplica.EventsAsync(context, $"data: {context.Request.Protocol}\n\n");
        for (var i = 0; i < 2; i++)
        {
            using var stream = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/mcp"));
            Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
            Assert.Equal("data: HTTP/1.1\n\n", await stream.Content.ReadAsStringAsync());
        }

        Assert.Equal(2, replica.Requests.Count);
    }

    [Fact]
    public void Remembered_owners_are_bounded_and_those_in_use_stay()
    {
        var owners = new OwnerCache(100);
        for (var i = 0; i < 1000; i++)
        {
            owners.Set($"s{i}", "a");
            owners.Set("used", "b");
            Assert.Equal("b", owners.Find("used"));
        }

        Assert.InRange(Enumerable.Range(0, 1000).Count(i => owners.Find($"s{i}") is not null), 40, 100);
        Assert.Equal("a", owners.Find("s999"));
        owners.Remove("used");
        Assert.Null(owners.Find("used"));
    }

    [Theory]
    [InlineData(nameof(BalancerOptions.MaxRequestBodySize))]
    [InlineData(nameof(BalancerOptions.HoldTime))]
    [InlineData(nameof(BalancerOptions.MaxBodyBytes))]
    [InlineData(nameof(BalancerOptions.CachedOwners))]
    public void Settings_that_cannot_work_are_refused_by_name_with_the_cure(string property)
    {
        var options = new BalancerOptions();
        Assert.True(new BalancerOptionsValidator().Validate(null, options).Succeeded);
        object impossible = property switch
        {
            nameof(BalancerOptions.HoldTime) => TimeSpan.FromSeconds(-1),
            nameof(BalancerOptions.MaxBodyBytes) => 1L,
            _ => 1,
        };
        typeof(BalancerOptions).GetProperty(property)!.SetValue(options, impossible);
        var message = new BalancerOptionsValidator().Validate(null, options).FailureMessage;
        Assert.Contains($"Balancer:{property} is", message, StringComparison.Ordinal);
        Assert.Contains("set it", message, StringComparison.Ordinal);
    }

    private static Task OwnedBy(HttpContext context, string owner)
    {
        context.Response.Headers["Mcp-Ha-Owner"] = owner;
        context.Response.Headers["Server"] = "replica";
        return FakeReplica.JsonAsync(context, "{}");
    }

    // A body whose length is not said beforehand.
    private sealed class Endless(int bytes) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var chunk = new byte[64 * 1024];
            Array.Fill(chunk, (byte)' ');
            for (var sent = 0; sent < bytes; sent += chunk.Length)
                await stream.WriteAsync(chunk.AsMemory(0, Math.Min(chunk.Length, bytes - sent)));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    [Fact]
    public async Task A_host_that_is_not_known_here_is_refused_until_it_is_listed()
    {
        foreach (var (listed, path) in new[] { ("", "/mcp"), ("", "/status.json"), ("evil.example.com", "/mcp") })
        {
            await using var bench = await BalancerBench.StartAsync(o => o.AllowedHosts = listed);
            await bench.AddAsync("a");
            using var request = path == "/mcp" ? BalancerBench.Post() : new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Host = "evil.example.com";
            using var response = await bench.SendAsync(request);
            var body = await response.Content.ReadAsStringAsync();
            Assert.Equal(listed.Length > 0, response.IsSuccessStatusCode);
            if (listed.Length == 0)
            {
                Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
                Assert.Contains("Balancer:AllowedHosts", body, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Headers_between_replicas_neither_come_in_from_outside_nor_get_out()
    {
        await using var bench = await BalancerBench.StartAsync();
        var a = await bench.AddAsync("a");
        Dictionary<string, string>? seen = null;
        a.Answer = (context, _) =>
        {
            seen = context.Request.Headers.Where(h => h.Key.StartsWith("Mcp-Ha-", StringComparison.OrdinalIgnoreCase)).ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
            foreach (var name in new[] { "Mcp-Ha-Owner", "Mcp-Ha-Cursor", "Mcp-Ha-Transient", "mcp-ha-anything" })
                context.Response.Headers[name] = "a";
            return context.Response.WriteAsync("{}");
        };
        using var request = BalancerBench.Post(SessionIds.New("a"));
        foreach (var name in new[] { "Mcp-Ha-Hop", "mcp-ha-relay", "MCP-HA-OWNER", "Mcp-Ha-Probe", "Mcp-Ha-Cursor", "Mcp-Ha-Begun" })
            request.Headers.TryAddWithoutValidation(name, "a");
        using var response = await bench.SendAsync(request);

        // The balancer's own.
        Assert.Equal(["Mcp-Ha-Exchange", "Mcp-Ha-Relay"], seen!.Keys.Order());
        Assert.Equal("1", seen["Mcp-Ha-Relay"]);
        Assert.DoesNotContain(response.Headers, h => h.Key.StartsWith("Mcp-Ha-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_page_can_read_the_errors_that_the_balancer_answers_by_itself_and_no_others()
    {
        await using var bench = await BalancerBench.StartAsync(o => (o.HoldTime, o.MaxRequestBodySize, o.RequestsPerSecond, o.Burst) = (TimeSpan.Zero, 2048, 1, 5));
        using (var none = await AskAsync())
            await AssertReadableAsync(none, HttpStatusCode.ServiceUnavailable, true);
        using (var large = await AskAsync(new string('x', 4096)))
            await AssertReadableAsync(large, HttpStatusCode.RequestEntityTooLarge, true);

        var replica = await bench.AddAsync("a");
        replica.Answer = (context, _) => FakeReplica.JsonAsync(context, "{}", 503);
        using (var relayed = await AskAsync())
            await AssertReadableAsync(relayed, HttpStatusCode.ServiceUnavailable, false);
        await Wait.UntilAsync(
            async () =>
            {
                using var response = await AskAsync();
                if (response.StatusCode != HttpStatusCode.TooManyRequests)
                    return false;
                await AssertReadableAsync(response, HttpStatusCode.TooManyRequests, true);
                return true;
            },
            "the limit");

        Task<HttpResponseMessage> AskAsync(string body = "{}")
        {
            var request = BalancerBench.Post(body: new StringContent(body));
            request.Headers.Add("Origin", "https://app.example.com");
            return bench.SendAsync(request);
        }

        static async Task AssertReadableAsync(HttpResponseMessage response, HttpStatusCode status, bool readable)
        {
            Assert.Equal(status, response.StatusCode);
            Assert.Equal(readable ? ["*"] : [], response.Headers.TryGetValues("Access-Control-Allow-Origin", out var origins) ? origins : []);
            if (readable)
                Assert.Contains("Retry-After", response.Headers.GetValues("Access-Control-Expose-Headers"));
            Assert.NotEmpty(await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_client_that_asks_too_often_is_told_so()
    {
        await using var bench = await BalancerBench.StartAsync(o => (o.RequestsPerSecond, o.Burst) = (1, 3));
        await bench.AddAsync("a");
        await Wait.UntilAsync(
            async () =>
            {
                using var response = await bench.SendAsync(BalancerBench.Post());
                return response.StatusCode == HttpStatusCode.TooManyRequests && response.Headers.RetryAfter is not null;
            },
            "the limit");
    }
}
