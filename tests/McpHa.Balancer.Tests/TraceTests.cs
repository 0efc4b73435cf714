using System.Collections.Concurrent;
using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>What traces say of the requests of a balancer.</summary>
public sealed class TraceTests
{
    private const string ClientSpan = "b7ad6b7169203331";

    private readonly string _trace = ActivityTraceId.CreateRandom().ToHexString();

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"countdown"}}""", "tools/call countdown")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"tour"}}""", "prompts/get tour")]
    [InlineData("""{"jsonrpc":"2.0","method":"notifications/initialized"}""", "notifications/initialized")]
    public async Task The_span_of_a_request_is_named_after_what_it_runs(string body, string name)
    {
        using var spans = new RequestSpans();
        await using var bench = await BalancerBench.StartAsync();
        await bench.AddAsync("a");
        using var request = BalancerBench.Post("s-1", body: new StringContent(body));

        Assert.Equal(name, (await EndedAsync(bench, spans, request)).DisplayName);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/status.json")]
    public async Task The_requests_of_the_page_are_left_out(string path)
    {
        using var spans = new RequestSpans();
        await using var bench = await BalancerBench.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);

        Assert.False((await EndedAsync(bench, spans, request)).Recorded);
    }

    private async Task<Activity> EndedAsync(BalancerBench bench, RequestSpans spans, HttpRequestMessage request)
    {
        request.Headers.Add("traceparent", $"00-{_trace}-{ClientSpan}-01");
        (await bench.SendAsync(request)).Dispose();
        Activity? span = null;
        await Wait.UntilAsync(() => (span = spans.Ended.FirstOrDefault(IsOfClient)) is not null, "the span of the request");
        return span!;
    }

    private bool IsOfClient(Activity span) => span.TraceId.ToHexString() == _trace && span.ParentSpanId.ToHexString() == ClientSpan;

    private sealed class RequestSpans : IDisposable
    {
        private readonly ActivityListener _listener;

        public RequestSpans()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "Mcp.HighAvailability",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = span =>
                {
                    if (span.Source.Name == "Microsoft.AspNetCore")
                        Ended.Enqueue(span);
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public ConcurrentQueue<Activity> Ended { get; } = new();

        public void Dispose() => _listener.Dispose();
    }
}
