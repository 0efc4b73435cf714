using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpenTelemetry;

/// <summary>Stands in for the instrumentation packages: what ASP.NET Core, HttpClient and the runtime emit by themselves.</summary>
internal static class TelemetryInstrumentation
{
    public static MeterProviderBuilder AddAspNetCoreInstrumentation(this MeterProviderBuilder builder) => builder.AddMeter(
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Routing", "Microsoft.AspNetCore.Diagnostics");

    public static MeterProviderBuilder AddHttpClientInstrumentation(this MeterProviderBuilder builder) =>
        builder.AddMeter("System.Net.Http", "System.Net.NameResolution");

    public static MeterProviderBuilder AddRuntimeInstrumentation(this MeterProviderBuilder builder) => builder.AddMeter("System.Runtime");

    public static TracerProviderBuilder AddHttpClientInstrumentation(this TracerProviderBuilder builder) => builder.AddSource("System.Net.Http");

    public static TracerProviderBuilder AddAspNetCoreInstrumentation(
        this TracerProviderBuilder builder, Action<AspNetCoreTraceInstrumentationOptions>? configure = null)
    {
        // Without this switch the host's spans have a name and nothing else: no method, path or status.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);

        var options = new AspNetCoreTraceInstrumentationOptions();
        configure?.Invoke(options);

        builder.AddSource("Microsoft.AspNetCore");
        if (options.Filter is { } filter)
            builder.ConfigureServices(services => services.AddHostedService(provider =>
                new RequestFilter(filter, provider.GetRequiredService<DiagnosticListener>())));

        return builder;
    }
}

internal sealed class AspNetCoreTraceInstrumentationOptions
{
    /// <summary>Says of a request whether it gets a span.</summary>
    public Func<HttpContext, bool>? Filter { get; set; }
}

/// <summary>Drops the spans of requests that the filter refuses, at their start: their children are dropped with them.</summary>
internal sealed class RequestFilter(Func<HttpContext, bool> filter, DiagnosticListener host)
    : IHostedService, IObserver<KeyValuePair<string, object?>>
{
    private const string Started = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start";

    private IDisposable? _subscription;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _subscription = host.Subscribe(this, name => name.StartsWith("Microsoft.AspNetCore.Hosting.HttpRequestIn", StringComparison.Ordinal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _subscription?.Dispose();
        return Task.CompletedTask;
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Key != Started || value.Value is not HttpContext context || filter(context) || Activity.Current is not { } request)
            return;

        request.IsAllDataRequested = false;
        request.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }
}
