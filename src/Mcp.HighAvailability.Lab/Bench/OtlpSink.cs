using System.Net;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Takes telemetry and throws it away: what is measured is what it costs to make and to send it.</summary>
internal sealed class OtlpSink : IDisposable
{
    private readonly HttpListener _listener = new();

    public OtlpSink()
    {
        Address = $"http://127.0.0.1:{Ports.Free()}";
        _listener.Prefixes.Add(Address + "/");
        _listener.Start();
        _ = ServeAsync();
    }

    private string Address { get; }

    /// <summary>Makes a process export everything to this, with a part of its traces.</summary>
    public void AddTo(IDictionary<string, string?> environment, double sampled)
    {
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address;
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        environment["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio";
        environment["OTEL_TRACES_SAMPLER_ARG"] = sampled.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        while (true)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                await context.Request.InputStream.CopyToAsync(Stream.Null);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException && !_listener.IsListening)
            {
                return;
            }
        }
    }
}
