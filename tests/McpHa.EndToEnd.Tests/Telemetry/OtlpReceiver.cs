using System.Collections.Concurrent;
using System.Net;

namespace McpHa.Tests.Telemetry;

/// <summary>A span as it was exported.</summary>
internal sealed record ExportedSpan(
    string Service, string Instance, string Name, string TraceId, string SpanId, string ParentId, ulong Started, ulong Ended,
    IReadOnlyDictionary<string, string> Attributes, IReadOnlyList<(string TraceId, string SpanId)> Links, bool Failed);

/// <summary>A metric as it was exported, once per export.</summary>
internal sealed record ExportedMetric(string Service, string Instance, string Name, string Unit, IReadOnlyList<string> Exemplars);

/// <summary>A log record as it was exported.</summary>
internal sealed record ExportedLog(string Instance, string Text, string TraceId, IReadOnlyDictionary<string, string> Attributes);

/// <summary>Takes what processes export by OTLP, HTTP with protobuf.</summary>
internal sealed class OtlpReceiver : IDisposable
{
    private readonly HttpListener _listener = new();

    public OtlpReceiver()
    {
        using (var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }

        _listener.Prefixes.Add(Address + "/");
        _listener.Start();
        _ = ServeAsync();
    }

    public string Address { get; }

    public ConcurrentQueue<ExportedSpan> Spans { get; } = new();

    public ConcurrentQueue<ExportedMetric> Metrics { get; } = new();

    public ConcurrentQueue<ExportedLog> Logs { get; } = new();

    /// <summary>What makes a cluster export to this.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?>
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address,
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
    };

    public async Task<ExportedSpan> SpanAsync(Func<ExportedSpan, bool> wanted, string what)
    {
        ExportedSpan? found = null;
        try
        {
            await Wait.UntilAsync(() => (found = Spans.FirstOrDefault(wanted)) is not null, what);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}. There are:\n{string.Join('\n', Spans.Select(s => $"{s.Instance} {s.Name} {s.TraceId}"))}", e);
        }

        return found!;
    }

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            Take(context.Request.Url!.AbsolutePath, new Protobuf(body.ToArray()));
            context.Response.Close();
        }
    }

    private void Take(string path, Protobuf request)
    {
        foreach (var part in request.Messages(1))
        {
            var resource = part.Message(1).Attributes(1);
            var (service, instance) = (resource.GetValueOrDefault("service.name", ""), resource.GetValueOrDefault("service.instance.id", ""));
            foreach (var item in part.Messages(2).SelectMany(scope => scope.Messages(2)))
            {
                if (path.EndsWith("/traces", StringComparison.Ordinal))
                    Spans.Enqueue(SpanOf(service, instance, item));
                else if (path.EndsWith("/metrics", StringComparison.Ordinal))
                    Metrics.Enqueue(new(service, instance, item.Text(1), item.Text(3), [.. ExemplarsOf(item)]));
                else
                    Logs.Enqueue(new(instance, item.Message(5).Text(1), item.Hex(9), item.Attributes(6)));
            }
        }
    }

    private static ExportedSpan SpanOf(string service, string instance, Protobuf span) => new(
        service, instance, span.Text(5), span.Hex(1), span.Hex(2), span.Hex(4), span.Number(7), span.Number(8), span.Attributes(9),
        [.. span.Messages(13).Select(link => (link.Hex(1), link.Hex(2)))], span.Message(15).Number(3) == 2);

    // Trace ids of the exemplars of a histogram.
    private static IEnumerable<string> ExemplarsOf(Protobuf metric) =>
        metric.Message(9).Messages(1).SelectMany(point => point.Messages(8)).Select(exemplar => exemplar.Hex(5));
}
