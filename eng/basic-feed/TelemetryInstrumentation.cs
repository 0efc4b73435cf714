using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
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
        builder.ConfigureServices(services => services.AddHostedService(provider =>
            new RequestSpans(options.Filter, provider.GetRequiredService<DiagnosticListener>())));

        return builder;
    }
}

internal sealed class AspNetCoreTraceInstrumentationOptions
{
    /// <summary>Says of a request whether it gets a span.</summary>
    public Func<HttpContext, bool>? Filter { get; set; }
}

/// <summary>
/// Completes the host's request spans with route and status, and drops those of requests that the filter refuses: at their
/// start, so that their children are dropped with them.
/// </summary>
internal sealed class RequestSpans(Func<HttpContext, bool>? filter, DiagnosticListener host)
    : IHostedService, IObserver<KeyValuePair<string, object?>>
{
    private const string Request = "Microsoft.AspNetCore.Hosting.HttpRequestIn";
    private const string Started = Request + ".Start";
    private const string Stopped = Request + ".Stop";

    private IDisposable? _subscription;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _subscription = host.Subscribe(this, name => name.StartsWith(Request, StringComparison.Ordinal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _subscription?.Dispose();
        return Task.CompletedTask;
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is not HttpContext context || Activity.Current is not { } span)
            return;

        if (value.Key == Started && filter?.Invoke(context) == false)
        {
            span.IsAllDataRequested = false;
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
        else if (value.Key == Stopped && span.IsAllDataRequested)
        {
            Complete(span, context);
        }
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    private static void Complete(Activity span, HttpContext context)
    {
        span.SetTag("http.response.status_code", context.Response.StatusCode);
        if (context.Response.StatusCode >= StatusCodes.Status500InternalServerError)
            span.SetStatus(ActivityStatusCode.Error);

        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
        span.DisplayName = route is null ? context.Request.Method : $"{context.Request.Method} {route}";
        if (route is not null)
            span.SetTag("http.route", route);
    }
}
