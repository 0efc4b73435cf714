using System.Diagnostics;
using McpHa.Tests.Relays;

namespace McpHa.Tests.Diagnostics;

/// <summary>What is seen of an exchange that took several attempts.</summary>
[Collection(TracedAlone.Name)]
public sealed class RelayTraceTests
{
    private const string ClientTrace = "0af7651916cd43dd8448eb211c80319c";
    private const string SessionTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string SessionParent = $"00-{SessionTrace}-00f067aa0ba902b7-01";

    [Fact]
    public async Task Every_attempt_is_a_span_of_the_requests_trace_and_one_that_failed_over_is_no_error()
    {
        using var spans = new Spans();
        await using var bench = await RelayBench.StartAsync();
        var first = await bench.AddAsync("a", (context, _) => FakeReplica.EventsAndBreakAsync(context, "id: s-1\ndata: one\n\n", $"Mcp-Ha-Trace: {SessionParent}", "Mcp-Ha-Owner: a"));
        var second = await bench.AddAsync("b", (context, _) =>
        {
            context.Response.Headers["Mcp-Ha-Trace"] = SessionParent;
            return FakeReplica.EventsAsync(context, "id: s-1\n\nid: s-2\ndata: two\n\n", owner: "b");
        });

        using (var response = await bench.SendAsync(Traced()))
        {
            Assert.False(response.Headers.Contains("Mcp-Ha-Trace"));
            Assert.Equal(["id: s-1|data: one", "id: s-2|data: two"], await new Sse(response).RestAsync());
        }

        await spans.FindAsync(span => span.Source.Name == "Microsoft.AspNetCore" && span.ParentSpanId.ToString() == "b7ad6b7169203331", "the request's own span");
        var attempts = spans.All.Where(span => span.OperationName == "relay attempt").OrderBy(span => span.StartTimeUtc).ToArray();
        Assert.Equal(["a", "b"], attempts.Select(span => span.GetTagItem("mcp.ha.replica.id")));
        Assert.All(attempts, span => Assert.Equal(ClientTrace, span.TraceId.ToString()));
        Assert.Equal(
            ("relay attempt (failed over: broken)", ActivityStatusCode.Unset, true, "broken", null),
            (attempts[0].DisplayName, attempts[0].Status, attempts[0].GetTagItem("mcp.ha.failed_over"), attempts[0].GetTagItem("mcp.ha.reason"),
                attempts[0].GetTagItem("error.type")));
        Assert.True(attempts[0].StartTimeUtc + attempts[0].Duration <= attempts[1].StartTimeUtc, "the first attempt ends when it fails");
        Assert.Equal((ActivityStatusCode.Unset, null, 1), (attempts[1].Status, attempts[1].GetTagItem("error.type"), attempts[1].GetTagItem("http.request.resend_count")));

        // Each replica is a child of its attempt, and has the client's baggage and state as they were.
        Assert.Equal(attempts.Select(span => span.Id), new[] { first, second }.Select(replica => Assert.Single(replica.Requests).Headers["traceparent"]));
        Assert.All(new[] { first, second }, replica => Assert.Equal(
            ("user=x;p=1, b = 2", "vendor=1"), (Assert.Single(replica.Requests).Headers["baggage"], Assert.Single(replica.Requests).Headers["tracestate"])));

        // The session's trace says where its requests went first, and that they went on elsewhere.
        var session = spans.Of("s-1").Where(span => span.TraceId.ToString() == SessionTrace).OrderBy(span => span.StartTimeUtc).ToArray();
        Assert.Equal(["forward", "resume (broken)"], session.Select(span => span.DisplayName));
        Assert.Equal(("", "a"), (session[0].GetTagItem("mcp.ha.from"), session[0].GetTagItem("mcp.ha.to")));
        Assert.Equal(("a", "b", "broken"), (session[1].GetTagItem("mcp.ha.from"), session[1].GetTagItem("mcp.ha.to"), session[1].GetTagItem("mcp.ha.reason")));
        var request = spans.All.Single(span => span.SpanId == attempts[0].ParentSpanId);
        Assert.Equal(ActivityStatusCode.Unset, request.Status);
        Assert.Equal(SessionTrace, Assert.Single(request.Links).Context.TraceId.ToString());
        Assert.All(session, span => Assert.Equal(ClientTrace, Assert.Single(span.Links).Context.TraceId.ToString()));
    }

    [Fact]
    public async Task The_last_attempt_and_the_request_are_errors_when_no_other_replica_could_go_on()
    {
        using var spans = new Spans();
        await using var bench = await RelayBench.StartAsync();
        bench.Repeatable = false;
        await bench.AddAsync("a", (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        using (var response = await bench.SendAsync(Traced()))
            Assert.Equal(System.Net.HttpStatusCode.BadGateway, response.StatusCode);

        var request = await spans.FindAsync(
            span => span.Source.Name == "Microsoft.AspNetCore" && span.ParentSpanId.ToString() == "b7ad6b7169203331", "the request's own span");
        var attempt = Assert.Single(spans.All, span => span.OperationName == "relay attempt");
        Assert.Equal((ActivityStatusCode.Error, "relay attempt", null), (attempt.Status, attempt.DisplayName, attempt.GetTagItem("mcp.ha.failed_over")));
        Assert.Equal(ActivityStatusCode.Error, request.Status);
    }

    [Fact]
    public async Task No_span_is_kept_open_around_a_stream_that_only_listens()
    {
        using var spans = new Spans();
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, "id: g-1\n\n");
            await FakeReplica.HangAsync(context);
        });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/mcp");
        request.Headers.Add("Mcp-Session-Id", "s-1");
        request.Headers.Accept.ParseAdd("text/event-stream");

        using var response = await bench.SendAsync(request);

        var attempt = await spans.FindAsync(span => span.OperationName == "relay attempt", "the attempt, while its stream is open");
        Assert.Equal(ActivityStatusCode.Unset, attempt.Status);
    }

    private static HttpRequestMessage Traced()
    {
        var request = RelayBench.Post();
        request.Headers.Add("traceparent", $"00-{ClientTrace}-b7ad6b7169203331-01");
        request.Headers.Add("tracestate", "vendor=1");
        request.Headers.TryAddWithoutValidation("baggage", "user=x;p=1, b = 2");
        return request;
    }
}
