using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting;
using Mcp.HighAvailability.Hosting.Start;
using Mcp.HighAvailability.Hosting.Store;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Adds the store of an MCP cluster to an application.</summary>
public static class McpStoreBuilderExtensions
{
    /// <summary>Property of the resource, in the dashboard, that says which store was chosen and why.</summary>
    private const string Property = "Store";

    /// <summary>Adds the store that the replicas of a cluster share: Redis, or a server that speaks its protocol.</summary>
    /// <remarks>
    /// <para>
    /// By default it is the server that <c>ConnectionStrings:{name}</c> names, otherwise a container with a data volume, otherwise (without a container
    /// runtime) an installed <c>redis-server</c>, otherwise Garnet as a .NET tool. The console and the dashboard say which one it is, and why. The setting
    /// <c>Store</c>, such as <c>--Store=Garnet</c> on the command line, wins over <paramref name="kind"/>.
    /// </para>
    /// <para>A published application gets the existing server or the container, with an append-only file on a volume.</para>
    /// </remarks>
    /// <param name="builder">The application.</param>
    /// <param name="name">Name of the resource and of the connection string that servers and balancer read.</param>
    /// <param name="kind">Which store it is.</param>
    /// <exception cref="McpHostingException">The machine cannot run this kind of store.</exception>
    public static IResourceBuilder<IResourceWithConnectionString> AddMcpStore(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, McpStoreKind kind = McpStoreKind.Automatic)
    {
        ArgumentNullException.ThrowIfNull(builder);
        StartErrors.ShowMessageOnly();
        var choice = StoreChoice.Make(builder.Configuration, name, kind, builder.ExecutionContext.IsPublishMode);
        return choice.Kind switch
        {
            McpStoreKind.Existing => builder.AddConnectionString(name).Mark(choice),
            McpStoreKind.Container => builder.AddRedisContainer(name).Mark(choice),
            McpStoreKind.RedisServer => builder.AddRedisServer(name, choice.Program!).Mark(choice),
            _ => builder.AddGarnet(name).Mark(choice),
        };
    }

    /// <summary>
    /// Makes a resource of your own the store of the clusters that refer to it: <c>builder.AddConnectionString("redis").AsMcpStore()</c>, or a managed Redis
    /// of a cloud.
    /// </summary>
    /// <typeparam name="T">Type of the resource.</typeparam>
    /// <param name="store">A resource whose connection string StackExchange.Redis understands.</param>
    public static IResourceBuilder<T> AsMcpStore<T>(this IResourceBuilder<T> store) where T : IResourceWithConnectionString
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.Mark(new(McpStoreKind.Existing, $"the resource '{store.Resource.Name}' of the AppHost"));
    }

    private static IResourceBuilder<T> Mark<T>(this IResourceBuilder<T> store, StoreChoice choice) where T : IResourceWithConnectionString => store
        .WithAnnotation(new McpStoreAnnotation(choice.Kind, choice.Description))
        .OnConnectionStringAvailable((resource, available, _) => available.Services.GetRequiredService<ResourceNotificationService>()
            .PublishUpdateAsync(resource, snapshot => snapshot with { Properties = snapshot.Properties.Add(new(Property, choice.Description)) }));

    private static IResourceBuilder<RedisResource> AddRedisContainer(this IDistributedApplicationBuilder builder, string name)
    {
        var isPublished = builder.ExecutionContext.IsPublishMode;
        var redis = builder.AddRedis(name)
            // Aspire would make a name of the project's, with dots, which Kubernetes refuses for a volume.
            .WithDataVolume(isPublished ? $"{name}-data" : null)
            .WithPersistence(interval: TimeSpan.FromSeconds(10));
        return isPublished ? redis.WithAppendOnlyFile() : redis;
    }

    // Published, Redis is started by a shell: its last argument is the whole command line.
    private static IResourceBuilder<RedisResource> WithAppendOnlyFile(this IResourceBuilder<RedisResource> redis) => redis.WithArgs(context =>
    {
        var last = context.Args.Count - 1;
        context.Args[last] = $"{context.Args[last]} --appendonly yes";
    });
}
