using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.LoadBalancing;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary><c>bench-yarp</c>: YARP with its defaults, round robin over the servers that it is given.</summary>
internal static class YarpCommand
{
    public const string Name = "bench-yarp";

    public static Command Create()
    {
        var servers = new Argument<string[]>("servers");
        var command = new Command(Name, "Serves as a plain reverse proxy that bench compares with.") { servers };
        command.Hidden = true;
        command.SetAction((result, cancellationToken) => RunAsync(result.GetValue(servers)!, cancellationToken));
        return command;
    }

    private static async Task RunAsync(string[] servers, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "servers", Match = new RouteMatch { Path = "{**path}" } }],
            [
                new ClusterConfig
                {
                    ClusterId = "servers",
                    LoadBalancingPolicy = LoadBalancingPolicies.RoundRobin,
                    Destinations = servers.ToDictionary(server => server, server => new DestinationConfig { Address = server }),
                },
            ]);
        await using var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync(cancellationToken);
    }
}
