using System.Diagnostics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>
/// Gives the spans of requests the names back that <see cref="RequestTrace"/> gave them: <c>tools/call echo</c> says more than <c>POST /mcp</c>.
/// </summary>
/// <remarks>
/// OpenTelemetry's instrumentation of ASP.NET Core names a span after its route when the request ends. That happens before the span stops, and this listener
/// hears of the stop before the exporter does: a tracer provider makes its instrumentations first and listens last.
/// </remarks>
internal sealed class RequestSpanNames : IDisposable
{
    private const string Source = "Microsoft.AspNetCore";

    private readonly ActivityListener _listener = new()
    {
        ShouldListenTo = static source => source.Name == Source,
        ActivityStopped = Restore,
    };

    public RequestSpanNames() => ActivitySource.AddActivityListener(_listener);

    public void Dispose() => _listener.Dispose();

    private static void Restore(Activity span)
    {
        if (span.GetTagItem(AttributeNames.McpMethod) is string method)
            span.DisplayName = RequestTrace.NameOf(method, (span.GetTagItem(AttributeNames.Tool) ?? span.GetTagItem(AttributeNames.Prompt)) as string ?? "");
    }
}
