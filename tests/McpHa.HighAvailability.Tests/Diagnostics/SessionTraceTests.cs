using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests.Diagnostics;

/// <summary>What a person sees of a session afterwards: one trace, from whichever process.</summary>
[Collection(TracedAlone.Name)]
public sealed class SessionTraceTests
{
    private const string ClientTrace = "0af7651916cd43dd8448eb211c80319c";
    private const string ClientParent = $"00-{ClientTrace}-b7ad6b7169203331-01";

    [Fact]
    public async Task A_session_is_one_trace_over_all_its_owners_from_its_creation_to_its_end()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var old = await CallAndCutOffAsync(cluster, client);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        await resumed.AnswerAsync();
        (await client.DeleteAsync(cluster[1])).Dispose();

        var session = client.SessionId!;
        await spans.FindAsync(span => span.OperationName == "end" && (string?)span.GetTagItem("mcp.session.id") == session, "the end");
        var trace = spans.Of(session);
        Assert.Equal(["session create", "take over (owner lost)", "resume", "end (deleted by the client)"], trace.Select(span => span.DisplayName));
        Assert.Equal(["replica-a", "replica-b", "replica-b", "replica-b"], trace.Select(span => span.GetTagItem("mcp.ha.replica.id")));
        Assert.Equal([1L, 2L, 2L, 2L], trace.Select(span => (long)span.GetTagItem("mcp.ha.epoch")!));
        Assert.Single(trace.Select(span => span.TraceId).Distinct());
        Assert.All(trace.Skip(1), span => Assert.Equal(trace[0].SpanId, span.ParentSpanId));
        Assert.Equal(default, trace[0].ParentSpanId);

        var takeOver = trace[1];
        Assert.Equal(
            ("replica-a", "replica-b", "owner-lost", 1, 0),
            (takeOver.GetTagItem("mcp.ha.from"), takeOver.GetTagItem("mcp.ha.to"), takeOver.GetTagItem("mcp.ha.reason"), takeOver.GetTagItem("mcp.ha.calls.rerun"), takeOver.GetTagItem("mcp.ha.calls.refused")));
        Assert.Equal(1, takeOver.GetTagItem("mcp.ha.events.replayed"));
        Assert.True(takeOver.Duration > TimeSpan.Zero);
        Assert.InRange((double)takeOver.GetTagItem("mcp.ha.takeover.duration")!, double.Epsilon, double.MaxValue);
        Assert.Equal("2025-11-25", trace[0].GetTagItem("mcp.protocol.version"));
    }

    [Fact]
    public async Task Requests_and_session_link_to_each_other_and_stay_in_traces_of_their_own()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var old = await CallAndCutOffAsync(cluster, client);

        using var resumed = await client.GetAsync(cluster[1], old.LastId, h => h.TryAddWithoutValidation("traceparent", ClientParent));
        await resumed.AnswerAsync();

        var request = await spans.FindAsync(
            span => span.Source.Name == "Microsoft.AspNetCore" && span.TraceId.ToString() == ClientTrace, "the span of the request");
        var trace = spans.Of(client.SessionId!);
        Assert.NotEqual(ClientTrace, trace[0].TraceId.ToString());
        Assert.Equal(trace[0].Context.SpanId, Assert.Single(request.Links).Context.SpanId);
        Assert.Equal((client.SessionId, "replica-b", 2L), (request.GetTagItem("mcp.session.id"), request.GetTagItem("mcp.ha.replica.id"), request.GetTagItem("mcp.ha.epoch")));
        Assert.Equal(request.SpanId, Assert.Single(trace.Single(span => span.OperationName == "take over").Links).Context.SpanId);
        Assert.Equal(request.SpanId, Assert.Single(trace.Single(span => span.OperationName == "resume").Links).Context.SpanId);
        var opened = spans.All.Single(span => span.Source.Name == "Microsoft.AspNetCore" && span.SpanId == Assert.Single(trace[0].Links).Context.SpanId);
        Assert.Equal(trace[0].SpanId, Assert.Single(opened.Links).Context.SpanId);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_call_that_is_run_again_stays_in_the_trace_of_the_request_that_brought_it(bool inMeta)
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var old = await CallAndCutOffAsync(cluster, client, inMeta);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        await resumed.AnswerAsync();

        var rerun = await spans.FindAsync(
            span => span.Source.Name == "Experimental.ModelContextProtocol" && span.DisplayName == "tools/call again" &&
                span.TraceId.ToString() == ClientTrace && span.Status != ActivityStatusCode.Error,
            "the second run");
        Assert.Equal(client.SessionId, rerun.GetTagItem("mcp.session.id"));
        Assert.Equal("b7ad6b7169203331", rerun.ParentSpanId.ToString());
    }

    [Fact]
    public async Task A_call_that_a_relay_goes_on_with_runs_again_below_the_attempt_that_goes_on()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var old = await CallAndCutOffAsync(cluster, client);

        using var resumed = await client.GetAsync(cluster[1], old.LastId, h => h.TryAddWithoutValidation("traceparent", $"00-{ClientTrace}-aaaaaaaaaaaaaaaa-01"));
        await resumed.AnswerAsync();

        var request = await spans.FindAsync(
            span => span.Source.Name == "Microsoft.AspNetCore" && span.ParentSpanId.ToString() == "aaaaaaaaaaaaaaaa", "the span of the request that goes on");
        var rerun = await spans.FindAsync(span => span.DisplayName == "tools/call again" && span.ParentSpanId == request.SpanId, "the second run");
        Assert.Equal(ClientTrace, rerun.TraceId.ToString());
    }

    [Fact]
    public async Task Every_span_of_the_sdk_names_the_session_and_the_clients_own_request()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            return "done";
        };
        using (var exchange = await client.PostAsync(cluster[0], client.Call("again", id: 77, progress: true)))
            await exchange.AnswerAsync();

        var call = await spans.FindAsync(span => span.Source.Name == "Experimental.ModelContextProtocol" && span.DisplayName == "tools/call again", "the call");
        await spans.FindAsync(span => span.DisplayName == "notifications/initialized", "the notification");
        var made = spans.All.Where(span => span.Source.Name == "Experimental.ModelContextProtocol").ToList();
        Assert.Superset(
            new HashSet<string> { "initialize", "notifications/initialized", "tools/call again" },
            made.Where(span => span.Recorded).Select(span => span.DisplayName).ToHashSet());
        Assert.All(made.Where(span => span.Recorded), span => Assert.Equal(client.SessionId, span.GetTagItem("mcp.session.id")));
        Assert.All(made.Where(span => span.DisplayName == "notifications/progress"), span => Assert.False(span.Recorded));
        Assert.Equal(("77", "tools/call", "again", "execute_tool"), (call.GetTagItem("jsonrpc.request.id"), call.GetTagItem("mcp.method.name"), call.GetTagItem("gen_ai.tool.name"), call.GetTagItem("gen_ai.operation.name")));
    }

    [Fact]
    public async Task A_session_that_is_handed_over_says_who_gave_it_and_who_took_it()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();

        await cluster[0].DrainAsync();
        Assert.Equal("still here", await client.CallAsync(cluster[1], "again", "still here"));

        var session = client.SessionId!;
        var handOver = await spans.FindAsync(span => span.OperationName == "hand over" && (string?)span.GetTagItem("mcp.session.id") == session, "the hand-over");
        var takeOver = await spans.FindAsync(span => span.OperationName == "take over" && (string?)span.GetTagItem("mcp.session.id") == session, "the take-over");
        Assert.Equal(("replica-a", 1L, ActivityStatusCode.Unset), (handOver.GetTagItem("mcp.ha.from"), handOver.GetTagItem("mcp.ha.epoch"), handOver.Status));
        Assert.Equal(("replica-b", "handed-over"), (takeOver.GetTagItem("mcp.ha.to"), takeOver.GetTagItem("mcp.ha.reason")));
        Assert.Equal(handOver.TraceId, takeOver.TraceId);
    }

    [Fact]
    public async Task A_forwarded_request_is_whole_in_its_own_trace_and_noted_once_in_the_sessions()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();

        using (var exchange = await client.PostAsync(cluster[1], client.Call("again", "x"), h => h.TryAddWithoutValidation("traceparent", ClientParent)))
            await exchange.AnswerAsync();
        await client.CallAsync(cluster[1], "again", "y");

        await spans.FindAsync(span => span.OperationName == "forward", "the forward");
        var forward = Assert.Single(spans.Of(client.SessionId!), span => span.OperationName == "forward");
        Assert.Equal(("replica-a", spans.Of(client.SessionId!)[0].TraceId), (forward.GetTagItem("mcp.ha.to"), forward.TraceId));
        await Wait.UntilAsync(() => spans.All.Count(span => span.Source.Name == "Microsoft.AspNetCore" && span.TraceId.ToString() == ClientTrace) == 2, "both spans of the request");
        var request = spans.All.Where(span => span.TraceId.ToString() == ClientTrace).ToDictionary(span => span.SpanId);
        var attempt = Assert.Single(request.Values, span => span.OperationName == "relay attempt");
        Assert.Equal(("replica-a", "POST", 200), (attempt.GetTagItem("mcp.ha.replica.id"), attempt.GetTagItem("http.request.method"), attempt.GetTagItem("http.response.status_code")));
        Assert.All(request.Values.Where(span => span.Source.Name == "Microsoft.AspNetCore"), span => Assert.Equal(
            ("tools/call again", "tools/call", "again"), (span.DisplayName, span.GetTagItem("mcp.method.name"), span.GetTagItem("gen_ai.tool.name"))));
        var tool = Assert.Single(request.Values, span => span.Source.Name == "Experimental.ModelContextProtocol");
        Assert.Equal(client.SessionId, tool.GetTagItem("mcp.session.id"));
        Assert.Equal(attempt.SpanId, request[tool.ParentSpanId].ParentSpanId);
        Assert.Equal("b7ad6b7169203331", request[attempt.ParentSpanId].ParentSpanId.ToString());
    }

    [Fact]
    public async Task Replaying_a_sessions_beginning_makes_no_traces_of_its_own()
    {
        using var spans = new Spans();
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var lost = DateTime.UtcNow;
        await client.CallAsync(cluster[1], "again");

        var trace = spans.Of(client.SessionId!)[0].TraceId;
        var beginning = spans.All.Where(span => span.Source.Name == "Experimental.ModelContextProtocol" && span.DisplayName.Contains("initialize", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, beginning.Count(span => span.OperationName.Contains("initialize", StringComparison.Ordinal) && span.TraceId == trace && span.StartTimeUtc > lost));
        Assert.All(beginning, span => Assert.NotEqual(default, span.ParentSpanId));
    }

    [Fact]
    public async Task A_session_that_was_not_sampled_is_traced_by_nobody()
    {
        using var spans = new Spans(ActivitySamplingResult.PropagationData);
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("x", await client.CallAsync(cluster[1], "again", "x"));

        Assert.DoesNotContain(spans.All, span => span.OperationName == "take over");
        Assert.EndsWith("-00", cluster.Snapshot(client.SessionId!)!.Record.TraceParent, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_allocated_while_nobody_listens()
    {
        var context = new DefaultHttpContext();
        for (var round = 0; round < 2; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1_000; i++)
            {
                Assert.Null(SessionTrace.Create());
                Assert.Null(SessionTrace.Start(SpanNames.TakeOver, ClientParent, "session"));
                SessionTrace.Mark(context, ClientParent, "session", "replica", 1);
                if (SessionTrace.IsRecorded(ClientParent) || SessionTrace.Cause != default)
                    throw new InvalidOperationException("An activity listener is there.");
            }

            if (round == 1)
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    // A call of the client's trace that has reported once, on an owner that is lost then.
    private static async Task<Exchange> CallAndCutOffAsync(InProcessCluster cluster, RawClient client, bool inMeta = false)
    {
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "done";
        };
        var call = client.Call("again", progress: true);
        if (inMeta)
            call["params"]!["_meta"]!["traceparent"] = ClientParent;

        var old = await client.PostAsync(cluster[0], call, h =>
        {
            if (!inMeta)
                h.TryAddWithoutValidation("traceparent", ClientParent);
        });
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        return old;
    }
}
