using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace McpHa.Tests;

/// <summary>An exporter gets the names of request spans, with the OpenTelemetry set-up of any application and no code in it.</summary>
public sealed class RequestSpanNameTests
{
    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"countdown"}}""", "tools/call countdown")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"tour"}}""", "prompts/get tour")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list"}""", "tools/list")]
    public async Task A_span_is_exported_by_the_name_of_what_the_request_runs(string body, string name)
    {
        var exported = new Exported();
        await using var bench = await BalancerBench.StartAsync(
            services: services => services.AddOpenTelemetry().WithTracing(tracing => tracing.AddAspNetCoreInstrumentation().AddProcessor(exported)));
        await bench.AddAsync("a");
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        using var request = BalancerBench.Post("s-1", body: new StringContent(body));
        request.Headers.Add("traceparent", $"00-{trace}-b7ad6b7169203331-01");
        (await bench.SendAsync(request)).Dispose();

        await Wait.UntilAsync(() => exported.Names.ContainsKey(trace), "the span of the request");
        Assert.Equal(name, exported.Names[trace]);
    }

    // Takes the name at the instant at which an exporter gets the span.
    private sealed class Exported : BaseProcessor<Activity>
    {
        public ConcurrentDictionary<string, string> Names { get; } = new();

        public override void OnEnd(Activity span)
        {
            if (span.Source.Name == "Microsoft.AspNetCore" && span.ParentSpanId.ToHexString() == "b7ad6b7169203331")
                Names[span.TraceId.ToHexString()] = span.DisplayName;
        }
    }
}
