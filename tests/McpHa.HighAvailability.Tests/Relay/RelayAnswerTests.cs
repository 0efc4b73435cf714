using System.Net;
using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests.Relays;

public class RelayAnswerTests
{
    private const string Result = """{"jsonrpc":"2.0","id":7,"result":{}}""";

    [Fact]
    public async Task A_request_and_its_answer_pass_with_their_end_to_end_headers_and_no_others()
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a", async (context, _) =>
        {
            context.Response.Headers["Mcp-Ha-Owner"] = "a";
            context.Response.Headers["Mcp-Ha-Anything"] = "x";
            context.Response.Headers["Mcp-Session-Id"] = "s-1";
            context.Response.Headers["X-Two"] = new(["1", "2"]);
            context.Response.Headers["Server"] = "replica";
            await FakeReplica.JsonAsync(context, Result, 201);
        });

        var request = RelayBench.Post(path: "/mcp?x=%2F1");
        request.Headers.Add("Authorization", "Bearer secret");
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        request.Headers.Add("Origin", "http://localhost");
        request.Headers.Add("Mcp-Ha-Hop", "forged");
        request.Headers.Add("mcp-ha-relay", "forged");
        request.Headers.Add("Connection", "X-Mine");
        request.Headers.Add("X-Mine", "hop by hop");
        request.Headers.Add("Accept-Encoding", "gzip");
        using var response = await bench.SendAsync(request);

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(Result, await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(["1", "2"], response.Headers.GetValues("X-Two"));
        Assert.Equal(["s-1"], response.Headers.GetValues("Mcp-Session-Id"));
        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("Mcp-Ha", StringComparison.OrdinalIgnoreCase) || header.Key == "Server");

        var seen = Assert.Single(replica.Requests);
        Assert.Equal(("POST", "/mcp?x=%2F1"), (seen.Method, seen.Target));
        Assert.Contains("tools/call", seen.Body, StringComparison.Ordinal);
        Assert.Equal("Bearer secret", seen.Headers["Authorization"]);
        Assert.Equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", seen.Headers["traceparent"]);
        Assert.Equal("http://localhost", seen.Headers["Origin"]);
        Assert.Equal("application/json", seen.Headers["Content-Type"]);
        Assert.Equal("1", seen.Headers["Mcp-Ha-Relay"]);
        Assert.Equal(replica.Address.Authority, seen.Headers["Host"]);
        Assert.False(seen.Headers.ContainsKey("Mcp-Ha-Hop") || seen.Headers.ContainsKey("X-Mine") || seen.Headers.ContainsKey("Accept-Encoding"));
        Assert.Equal(("a", "a", "s-1"), Assert.Single(bench.Learned));
    }

    [Fact]
    public async Task A_peer_is_told_whom_the_request_is_meant_for()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.Hop = true;
        var replica = await bench.AddAsync("a");
        var request = RelayBench.Post();
        request.Headers.Add("Mcp-Ha-Hop", "forged");
        using var response = await bench.SendAsync(request);
        Assert.Equal("a", Assert.Single(replica.Requests).Headers["Mcp-Ha-Hop"]);
    }

    [Theory]
    [InlineData(202)]
    [InlineData(204)]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(503)]
    public async Task Every_final_status_of_a_replica_is_the_clients(int status)
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", (context, _) =>
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_replica_that_is_not_the_owner_names_it_to_the_route()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", (context, _) =>
        {
            context.Response.StatusCode = 421;
            context.Response.Headers["Mcp-Ha-Owner"] = "b";
            return Task.CompletedTask;
        });
        await bench.AddAsync("b");
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var failure = Assert.Single(bench.Failures);
        Assert.Equal((RelayFailureKind.NotOwner, "b"), (failure.Kind, failure.Owner));
    }

    [Fact]
    public async Task A_refusal_that_passes_by_itself_is_not_the_clients()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", async (context, number) =>
        {
            if (number > 3)
            {
                await FakeReplica.JsonAsync(context, Result);
                return;
            }

            context.Response.StatusCode = 503;
            context.Response.Headers["Mcp-Ha-Transient"] = "1";
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal([RelayFailureKind.Unavailable, RelayFailureKind.Unavailable, RelayFailureKind.Unavailable], bench.Failures.Select(failure => failure.Kind));
    }

    [Fact]
    public async Task A_replica_that_refuses_connections_is_passed_over_and_reported()
    {
        await using var bench = await RelayBench.StartAsync();
        var dead = await bench.AddAsync("a");
        await bench.AddAsync("b");
        var info = dead.Info;
        await dead.StopAsync();
        bench.Registry.Set(info, TimeSpan.FromSeconds(1)); // its last heartbeat is older than our attempt
        await bench.Directory.RefreshAsync();

        bench.Repeatable = false; // nothing was sent, so nothing can have run
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(RelayFailureKind.Refused, Assert.Single(bench.Failures).Kind);
        Assert.Null(bench.Directory.Find("a"));
    }

    [Fact]
    public async Task A_request_whose_connection_breaks_before_the_answer_is_sent_again()
    {
        await using var bench = await RelayBench.StartAsync();
        var first = await bench.AddAsync("a", (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        var second = await bench.AddAsync("b");
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(RelayFailureKind.Broken, Assert.Single(bench.Failures).Kind);
        Assert.Equal(Assert.Single(first.Requests).Body, Assert.Single(second.Requests).Body);
    }

    [Fact]
    public async Task A_replica_whose_connections_are_reset_for_a_while_is_waited_for()
    {
        const int Resets = 15;
        await using var bench = await RelayBench.StartAsync();
        var asked = 0;
        await bench.AddAsync("a", async (context, _) =>
        {
            if (Interlocked.Increment(ref asked) <= Resets)
                context.Abort();
            else
                await context.Response.WriteAsync(Result);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Resets, bench.Failures.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Half_a_json_answer_never_reaches_the_client(bool knownLength)
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", async (context, _) =>
        {
            context.Response.ContentType = "application/json";
            if (knownLength)
                context.Response.ContentLength = Result.Length;
            await context.Response.WriteAsync(Result[..10]);
            await context.Response.Body.FlushAsync();
            context.Abort();
        });
        await bench.AddAsync("b", (context, _) => FakeReplica.JsonAsync(context, Result));
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(Result, await response.Content.ReadAsStringAsync());
        Assert.Equal(RelayFailureKind.Broken, Assert.Single(bench.Failures).Kind);
    }

    [Fact]
    public async Task A_silent_replica_that_the_directory_gives_up_is_left()
    {
        await using var bench = await RelayBench.StartAsync();
        var frozen = await bench.AddAsync("a", (context, _) => FakeReplica.HangAsync(context));
        await bench.AddAsync("b");
        var answer = bench.SendAsync(RelayBench.Post());
        await Wait.UntilAsync(() => !frozen.Requests.IsEmpty, "the request at the frozen replica");
        bench.Registry.Set(frozen.Info, TimeSpan.FromSeconds(50));
        await bench.Directory.RefreshAsync();

        using var response = await answer;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(RelayFailureKind.Lost, Assert.Single(bench.Failures).Kind);
    }

    [Fact]
    public async Task A_request_that_must_not_be_repeated_ends_with_an_error_that_says_it_may_have_run()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.Repeatable = false;
        await bench.AddAsync("a", (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        var other = await bench.AddAsync("b");
        using var response = await bench.SendAsync(RelayBench.Post("""{"params":{"id":1},"jsonrpc":"2.0","id":"seven","method":"tools/call"}"""));
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        var error = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"id\":\"seven\"", error, StringComparison.Ordinal);
        Assert.Contains("-32010", error, StringComparison.Ordinal);
        Assert.Contains("may have run", error, StringComparison.Ordinal);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task When_nobody_can_serve_for_the_hold_time_the_client_is_told_to_come_again()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.HoldTime = TimeSpan.FromMilliseconds(300);
        var dead = await bench.AddAsync("a");
        await dead.StopAsync();
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter!.Delta);
        Assert.Contains("\"id\":7", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.InRange(bench.Failures.Count, 3, 60); // it kept asking, with growing pauses
    }

    [Fact]
    public async Task A_call_that_may_have_run_is_never_said_to_be_safe_to_send_again()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.HoldTime = TimeSpan.FromMilliseconds(300);
        await bench.AddAsync("a", (context, number) => number == 1 ? AbortAsync(context) : UnavailableAsync(context));
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Contains("-32010", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_a_request_may_have_begun_is_told_to_replicas_and_learned_from_them()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.HoldTime = TimeSpan.FromMilliseconds(300);
        bench.ForRelay = true;
        var replica = await bench.AddAsync("a", (context, _) =>
        {
            context.Response.Headers["Mcp-Ha-Begun"] = "x,y";
            return UnavailableAsync(context);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal("x,y", replica.Requests.Last().Headers["Mcp-Ha-Begun"]);
        Assert.Equal("x,y", response.Headers.GetValues("Mcp-Ha-Begun").Single());
    }

    [Fact]
    public async Task A_repeated_delete_that_finds_the_session_gone_has_done_its_work()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", (context, _) => AbortAsync(context));
        await bench.AddAsync("b", (context, _) => FakeReplica.JsonAsync(context, "{}", 404));
        using var first = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Delete, "/mcp"));
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);

        bench.Order.Remove("a");
        using var second = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Delete, "/mcp"));
        Assert.Equal(HttpStatusCode.NotFound, second.StatusCode);
    }

    [Fact]
    public async Task A_path_cannot_lead_to_another_host()
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a");
        using var handler = new SocketsHttpHandler();
        using var client = new HttpMessageInvoker(handler);
        var options = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        var uri = new Uri(bench.Client.BaseAddress!.GetLeftPart(UriPartial.Authority) + "//example.org:1/mcp", in options);
        using var response = await client.SendAsync(new HttpRequestMessage(HttpMethod.Get, uri), default);
        Assert.Equal("//example.org:1/mcp", Assert.Single(replica.Requests).Target);
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_an_error_and_not_repeated()
    {
        await using var bench = await RelayBench.StartAsync(options => options.MaxMessageBytes = 5000);
        var replica = await bench.AddAsync("a", (context, _) => FakeReplica.JsonAsync(context, new string(' ', 10_000)));
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Contains("-32014", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(replica.Requests);
    }

    private static Task AbortAsync(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    private static Task UnavailableAsync(HttpContext context)
    {
        context.Response.Headers["Mcp-Ha-Transient"] = "1";
        return FakeReplica.JsonAsync(context, "{}", 503);
    }
}
