using System.Net;
using Mcp.HighAvailability.Affinity;

namespace McpHa.Tests;

/// <summary>HTTP+SSE through the balancer: it learns of the session by the stream's first event, and goes on with the stream in its client's place.</summary>
public class LegacySseTests
{
    [Fact]
    public async Task A_message_goes_where_its_sessions_hint_points_and_is_sent_again_when_that_breaks()
    {
        await using var bench = await BalancerBench.StartAsync();
        var a = await bench.AddAsync("a");
        var b = await bench.AddAsync("b");
        a.Answer = (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        b.Answer = (context, _) =>
        {
            context.Response.StatusCode = 202;
            return Task.CompletedTask;
        };
        var path = $"/mcp/message?sessionId={SessionIds.New("a")}";

        using var response = await bench.SendAsync(BalancerBench.Post(path: path));

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal((path, path), (a.Requests.First().Target, Assert.Single(b.Requests).Target));
        Assert.Equal(a.Requests.First().Body, b.Requests.Single().Body);
    }

    [Fact]
    public async Task A_stream_that_breaks_goes_on_at_the_next_owner_on_the_same_response()
    {
        await using var bench = await BalancerBench.StartAsync();
        var a = await bench.AddAsync("a", replica => replica.Info with { Calls = 0 });
        var b = await bench.AddAsync("b", replica => replica.Info with { Calls = 1_000 });
        var session = SessionIds.New("a");
        a.Answer = (context, number) => number == 1
            ? FakeReplica.EventsAndBreakAsync(context, Endpoint(session) + Message(1), "Mcp-Ha-Owner: a")
            : MovedAsync(context);
        b.Answer = (context, _) => FakeReplica.EventsAsync(context, Message(2), owner: "b");

        using var response = await bench.SendAsync(Open());

        var events = new Sse(response);
        Assert.Equal($"id: g1x1-0|event: endpoint|data: /mcp/message?sessionId={session}", await events.NextAsync());
        Assert.Equal("id: g1x1-1|event: message|data: 1", await events.NextAsync());
        Assert.Equal("id: g1x1-2|event: message|data: 2", await events.NextAsync());

        var resume = b.Requests.First();
        Assert.Equal(("GET", "/mcp/sse", session, "g1x1-1", "Bearer t"), (resume.Method, resume.Target, resume.Headers["Mcp-Session-Id"], resume.Headers["Last-Event-ID"], resume.Headers["Authorization"]));
        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("Mcp-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_stream_that_breaks_before_its_first_event_is_opened_anew_and_the_session_that_the_client_hears_of_counts()
    {
        await using var bench = await BalancerBench.StartAsync();
        var (lost, heard) = (SessionIds.New("a"), SessionIds.New("a"));
        var a = await bench.AddAsync("a");
        a.Answer = (context, number) => number switch
        {
            1 => FakeReplica.EventsAndBreakAsync(context, Endpoint(lost)[..^1]),
            2 => FakeReplica.EventsAndBreakAsync(context, Endpoint(heard)),
            _ => FakeReplica.EventsAsync(context, Message(1)),
        };

        using var response = await bench.SendAsync(Open());

        var events = new Sse(response);
        Assert.Contains(heard, await events.NextAsync(), StringComparison.Ordinal);
        Assert.Equal("id: g1x1-1|event: message|data: 1", await events.NextAsync());
        Assert.False(a.Requests.ElementAt(1).Headers.ContainsKey("Last-Event-ID"));
        Assert.Equal((heard, "g1x1-0"), (a.Requests.ElementAt(2).Headers["Mcp-Session-Id"], a.Requests.ElementAt(2).Headers["Last-Event-ID"]));
    }

    private static Task MovedAsync(Microsoft.AspNetCore.Http.HttpContext context)
    {
        context.Response.StatusCode = 421;
        context.Response.Headers["Mcp-Ha-Owner"] = "b";
        return Task.CompletedTask;
    }

    private static HttpRequestMessage Open()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/mcp/sse");
        request.Headers.Add("Accept", "text/event-stream");
        request.Headers.Add("Authorization", "Bearer t");
        return request;
    }

    private static string Endpoint(string session) => $"id: g1x1-0\nevent: endpoint\ndata: /mcp/message?sessionId={session}\n\n";

    private static string Message(int number) => $"id: g1x1-{number}\nevent: message\ndata: {number}\n\n";
}
