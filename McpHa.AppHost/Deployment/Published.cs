#if (compose || kubernetes)
using Aspire.Hosting.ApplicationModel;

namespace McpHa.AppHost.Deployment;

/// <summary>How long a process may take to leave, and how long whoever stops it waits before it kills it: longer.</summary>
internal sealed record Drain(string Setting, TimeSpan Time)
{
    public static readonly Drain Server = new("HighAvailability__DrainTimeout", TimeSpan.FromSeconds(30));
    public static readonly Drain Balancer = new("Balancer__DrainTime", TimeSpan.FromSeconds(5));

    public TimeSpan Grace => Time + TimeSpan.FromSeconds(15);
}

/// <summary>What holds wherever the application is published to.</summary>
internal static class Published
{
    public static IResourceBuilder<ProjectResource> WithDrain(this IResourceBuilder<ProjectResource> project, Drain drain) =>
        project.ApplicationBuilder.ExecutionContext.IsPublishMode ? project.WithEnvironment(drain.Setting, drain.Time.ToString("c")) : project;

    /// <summary>Asks, when the application is deployed, for the names under which clients reach the balancer; it answers no others.</summary>
    public static IResourceBuilder<ProjectResource> AllowHosts(this IResourceBuilder<ProjectResource> balancer, IDistributedApplicationBuilder builder) =>
        builder.ExecutionContext.IsPublishMode
            ? balancer.WithEnvironment("Balancer__AllowedHosts", builder.AddParameter("allowed-hosts")
                .WithDescription("Names under which clients reach the balancer: mcp.example.com;*.example.org"))
            : balancer;
#if (!existingRedis)

    /// <summary>Has Redis write down what it acknowledges, not only a copy now and then. A Redis that exists already is left as it is.</summary>
    public static void KeepData(
        this IResourceBuilder<IResourceWithConnectionString> redis, Func<IResourceBuilder<RedisResource>, IResourceBuilder<RedisResource>> publish)
    {
        if (redis.Resource is RedisResource container && redis.ApplicationBuilder.ExecutionContext.IsPublishMode)
            publish(redis.ApplicationBuilder.CreateResourceBuilder(container))
                // Published, Redis is started by a shell, with one argument that is its whole command line.
                .WithArgs(context =>
                {
                    var last = context.Args.Count - 1;
                    context.Args[last] = $"{context.Args[last]} --appendonly yes";
                });
    }
#endif
}
#endif
