using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;
using McpHa.Tests.Telemetry;

namespace McpHa.Tests;

/// <summary>What real processes export of a session whose owner is killed.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class TelemetryTests
{
    private const string ClientTrace = "0af7651916cd43dd8448eb211c80319c";
    private const string ClientSpan = "b7ad6b7169203331";

    [Fact]
    public async Task A_failover_is_one_trace_of_two_replicas_and_the_balancer_linked_with_the_whole_trace_of_the_call()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        using var receiver = new OtlpReceiver();
        // Single take-overs are logged at Debug.
        var environment = new Dictionary<string, string?>(receiver.Environment) { ["Logging__LogLevel__Mcp"] = "Debug" };
        await using var cluster = await LabCluster.StartAsync(new() { Replicas = 2, Restart = false, Environment = environment });
        using var client = new RawClient(cluster.Endpoint);
        var session = await client.InitializeAsync();
        var owner = Owner.From((await client.CallAsync("where", "where_am_i"))["result"]!["structuredContent"]!);
        var other = cluster.State.Replicas.Single(replica => replica.Id != owner.Replica).Id;

        using var response = await client.PostAsync(
            RawClient.ToolCall(7, "countdown", new { seconds = 2, intervalMs = 100 }, progressToken: "steps"),
            request => request.Headers.TryAddWithoutValidation("traceparent", $"00-{ClientTrace}-{ClientSpan}-01"));
        await Wait.UntilAsync(() => response.Events.Count(e => e.Progress is not null) >= 3, "some progress");
        var created = await receiver.SpanAsync(span => span.Name == "session create" && IsOfSession(span), "the session's beginning to be exported");
        owner.Kill();
        await response.Read().WaitAsync(Wait.Limit);

        // The session's trace: three processes, each as what it is.
        var takeOver = await receiver.SpanAsync(span => span.Name == "take over (owner lost)" && IsOfSession(span), "the take-over");
        var resume = await receiver.SpanAsync(
            span => span.Name.StartsWith("resume (", StringComparison.Ordinal) && IsOfSession(span) && span.Service == "balancer1", "the balancer's part");
        Assert.Equal(
            [(Service(owner.Replica), owner.Replica), (Service(other), other), ("balancer1", "balancer1")],
            new[] { created, takeOver, resume }.Select(span => (span.Service, span.Instance)));
        Assert.Single(new[] { created.TraceId, takeOver.TraceId, resume.TraceId }.Distinct());
        Assert.Equal([created.SpanId, created.SpanId], new[] { takeOver.ParentId, resume.ParentId });
        Assert.Equal(
            (owner.Replica, other, "owner-lost", "2", "1"),
            (takeOver.Attributes["mcp.ha.from"], takeOver.Attributes["mcp.ha.to"], takeOver.Attributes["mcp.ha.reason"], takeOver.Attributes["mcp.ha.epoch"], takeOver.Attributes["mcp.ha.calls.rerun"]));
        Assert.True(resume.Started < takeOver.Ended && takeOver.Started < resume.Ended, "the balancer's pause and the take-over are at the same time");

        // The call's trace: client → balancer → attempt 1, which failed over, and attempt 2 → the other replica, where the tool runs again.
        // The call was rescued: nothing failed.
        var request = await receiver.SpanAsync(span => span.TraceId == ClientTrace && span.ParentId == ClientSpan, "the balancer's span of the call");
        var second = await receiver.SpanAsync(span => IsAttempt(span) && span is { Name: "relay attempt", Service: "balancer1" }, "the second attempt");
        var first = await receiver.SpanAsync(
            span => IsAttempt(span) && span.Service == "balancer1" && span.Name.Contains("(failed over: ", StringComparison.Ordinal), "the first attempt");
        Assert.Equal("tools/call countdown", request.Name);
        Assert.DoesNotContain(receiver.Spans, span => IsAttempt(span) && span.Failed);
        Assert.False(request.Failed);
        Assert.Equal((owner.Replica, other), (first.Attributes["mcp.ha.replica.id"], second.Attributes["mcp.ha.replica.id"]));
        Assert.Equal([request.SpanId, request.SpanId], new[] { first.ParentId, second.ParentId });
        var going = await receiver.SpanAsync(span => span.TraceId == ClientTrace && span.ParentId == second.SpanId && span.Instance == other, "the other replica's span of the call");
        var tool = await receiver.SpanAsync(span => span.TraceId == ClientTrace && span.Name == "tools/call countdown" && span.Instance == other, "the tool's second run");
        Assert.Equal((going.SpanId, "7"), (tool.ParentId, tool.Attributes["jsonrpc.request.id"]));
        Assert.Equal((session, "countdown"), (tool.Attributes["mcp.session.id"], tool.Attributes["gen_ai.tool.name"]));

        // Both ways.
        Assert.Equal(session, request.Attributes["mcp.session.id"]);
        Assert.Contains(request.Links, link => link.TraceId == created.TraceId);
        Assert.Contains(resume.Links, link => link.TraceId == ClientTrace);

        await Wait.UntilAsync(() => receiver.Logs.Any(IsTakeOver), "the record of the take-over, in the session's trace");
        await Wait.UntilAsync(
            () => receiver.Metrics.Any(metric => metric is { Name: "mcp.ha.takeover.duration", Unit: "s" } && metric.Instance == other && metric.Exemplars.Contains(created.TraceId)),
            "the take-over's duration, with the session's trace as exemplar");
        foreach (var name in (string[])["mcp.ha.relay.attempts", "http.server.request.duration"])
            await Wait.UntilAsync(() => receiver.Metrics.Any(metric => metric.Name == name && metric.Service == "balancer1"), name);
        await Wait.UntilAsync(() => receiver.Metrics.Any(IsOfRuntime), "metrics of the runtime");

        static bool IsAttempt(ExportedSpan span) => span.TraceId == ClientTrace && span.Name.StartsWith("relay attempt", StringComparison.Ordinal);

        static bool IsOfRuntime(ExportedMetric metric) =>
            metric.Name.StartsWith("dotnet.", StringComparison.Ordinal) && metric.Service.StartsWith("server", StringComparison.Ordinal);

        // As the Aspire dashboard names a replica that was not restarted.
        static string Service(string replica) => replica.Split('-')[0];

        bool IsOfSession(ExportedSpan span) => span.Attributes.GetValueOrDefault("mcp.session.id") == session;

        bool IsTakeOver(ExportedLog log) =>
            log.TraceId == created.TraceId && log.Instance == other && log.Attributes.GetValueOrDefault("SessionId") == session && log.Attributes.GetValueOrDefault("Epoch") == "2" &&
            log.Attributes.GetValueOrDefault("mcp.session.id") == session && log.Attributes.GetValueOrDefault("mcp.ha.replica.id") == other && log.Attributes.GetValueOrDefault("mcp.ha.epoch") == "2";
    }
}
