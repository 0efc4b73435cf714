using System.CommandLine;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Redis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>
/// <c>bench-server</c>: what is measured, in a process of its own. All kinds have the same host, settings and
/// <c>echo</c>; they differ in what serves <c>/mcp</c> and in nothing else.
/// </summary>
internal static class BenchServerCommand
{
    public const string Name = "bench-server";

    /// <summary>The option that leaves out all that measures.</summary>
    public const string WithoutTelemetry = "--without-telemetry";

    public static Command Create()
    {
        var kind = new Argument<ServerKind>("kind");
        var bare = new Option<bool>(WithoutTelemetry);
        var command = new Command(Name, "Serves what bench measures.") { kind, bare };
        command.Hidden = true;
        command.SetAction((result, cancellationToken) => RunAsync(result.GetValue(kind), result.GetValue(bare), cancellationToken));
        return command;
    }

    private static async Task RunAsync(ServerKind kind, bool withoutTelemetry, CancellationToken cancellationToken)
    {
        // Of the whole process, and before the first meter is made.
        if (withoutTelemetry)
            AppContext.SetSwitch("System.Diagnostics.Metrics.Meter.IsSupported", false);
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddHealthChecks();
        if (!withoutTelemetry)
            builder.ConfigureOpenTelemetry();
        if (kind == ServerKind.Ha)
        {
            // As in the settings of the sample server.
            builder.Configuration["Aspire:StackExchange:Redis:DisableTracing"] = "true";
            builder.AddRedisClient("redis");
        }

        if (kind != ServerKind.Bare)
        {
            var server = builder.Services.AddMcpServer().WithTools([McpServerTool.Create((string text) => text, new() { Name = "echo", ReadOnly = true, OpenWorld = false })]);
            if (kind == ServerKind.Ha)
                server.WithHighAvailability(ha => ha.UseRedis());
            else
                builder.Services.AddSingleton<SdkHost>();
        }

        await using var app = builder.Build();
        switch (kind)
        {
            case ServerKind.Bare:
                app.MapPost("/mcp", (RequestDelegate)BareEcho.PostAsync);
                break;
            case ServerKind.Sdk:
                app.Services.GetRequiredService<SdkHost>().Map(app, "/mcp");
                break;
            case ServerKind.Ha:
                app.MapHighlyAvailableMcp("/mcp");
                break;
        }

        app.MapHealthChecks("/health");
        app.MapGet("/memory", (bool collect) => collect ? ServerMemory.AfterCollection() : ServerMemory.Now());
        await app.RunAsync(cancellationToken);
    }
}

/// <summary>What serves <c>/mcp</c>.</summary>
internal enum ServerKind
{
    /// <summary>Kestrel alone, with the JSON of an echo.</summary>
    Bare,

    /// <summary>The SDK's own transport: sessions in memory, no high availability.</summary>
    Sdk,

    /// <summary>This library, on Redis.</summary>
    Ha,
}
