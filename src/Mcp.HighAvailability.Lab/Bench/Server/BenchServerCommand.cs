using System.CommandLine;
using Mcp.HighAvailability.Redis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ModelContextProtocol.AspNetCore;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>
/// <c>bench-server</c>: what is measured, in a process of its own. All kinds have the same host, settings and tools; they differ in what serves
/// <c>/mcp</c>.
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
        AddMcp(builder, kind);

        await using var app = builder.Build();
        if (kind == ServerKind.Bare)
            app.MapPost("/mcp", (RequestDelegate)BareEcho.PostAsync);
        else if (kind is ServerKind.Ha or ServerKind.Tasks)
            app.MapHighlyAvailableMcp("/mcp");
        else
            app.MapMcp("/mcp");
        app.MapHealthChecks("/health");
        app.MapGet("/memory", (bool collect) => collect ? ServerMemory.AfterCollection() : ServerMemory.Now());
        await app.RunAsync(cancellationToken);
    }

    private static void AddMcp(WebApplicationBuilder builder, ServerKind kind)
    {
        if (kind == ServerKind.Bare)
            return;
        if (kind != ServerKind.Sdk)
        {
            // As in the settings of the sample server.
            builder.Configuration["Aspire:StackExchange:Redis:DisableTracing"] = "true";
            builder.AddRedisClient("redis");
        }

        var server = builder.Services.AddMcpServer().WithTools<CallTools>();
        switch (kind)
        {
            case ServerKind.Sdk:
                server.WithTools<MemoryStateTools>().WithHttpTransport(options => options.SessionMode = HttpServerSessionMode.Stateful);
                break;
            case ServerKind.SdkHa:
                builder.Services.AddStackExchangeRedisCache(options => options.Configuration = builder.Configuration["ConnectionStrings:redis"]);
                builder.Services.AddSingleton<ISessionMigrationHandler, RedisSessionMigration>();
                server.WithTools<RedisStateTools>()
                    .WithHttpTransport(options => options.SessionMode = HttpServerSessionMode.Stateful)
                    .WithDistributedCacheEventStreamStore();
                break;
            case ServerKind.Ha:
                server.WithTools<SessionStateTools>().WithHighAvailability(ha => ha.UseRedis());
                break;
            case ServerKind.Tasks:
                server.WithTools<TaskTools>().WithHighAvailability(ha => ha.UseRedis());
                break;
        }
    }
}

/// <summary>Implementation that serves <c>/mcp</c>.</summary>
internal enum ServerKind
{
    /// <summary>Kestrel alone, with the JSON of an echo.</summary>
    Bare,

    /// <summary>The SDK's ASP.NET Core package: sessions in memory, no high availability.</summary>
    Sdk,

    /// <summary>The same with the SDK's own parts for several processes, on Redis.</summary>
    SdkHa,

    /// <summary>This library, on Redis.</summary>
    Ha,

    /// <summary>The same with tools whose calls become tasks: a server without such tools does nothing for tasks.</summary>
    Tasks,
}
