using Aspire.Hosting;
using Microsoft.Extensions.Configuration;

namespace Mcp.HighAvailability.Hosting.Store;

/// <summary>Which store an application gets, and why.</summary>
/// <param name="Kind">Never <see cref="McpStoreKind.Automatic"/>.</param>
/// <param name="Description">The choice and its reason, for people.</param>
/// <param name="Program">Path of <c>redis-server</c>, if that is the choice.</param>
internal sealed record StoreChoice(McpStoreKind Kind, string Description, string? Program = null)
{
    private const string RedisServer = "redis-server";

    // The command line and the environment win over the code.
    private const string Setting = "Store";

    public static StoreChoice Make(IConfiguration configuration, string name, McpStoreKind kind, bool isPublished)
    {
        var wanted = Wanted(configuration) ?? kind;
        if (wanted is McpStoreKind.Existing || (wanted is McpStoreKind.Automatic && Existing(configuration, name)))
            return new(McpStoreKind.Existing, $"an existing store, because ConnectionStrings:{name} is set");

        // Whatever this machine can run, the published application gets the container.
        if (isPublished)
            return new(McpStoreKind.Container, "Redis in a container, because the application is published");

        return wanted switch
        {
            McpStoreKind.Automatic => Automatic(),
            McpStoreKind.Container => new(wanted, "Redis in a container, because the AppHost asks for it"),
            McpStoreKind.RedisServer => Installed("the AppHost asks for it")
                ?? throw new McpHostingException("redis-server is not on the PATH. Install it, or let AddMcpStore choose another store."),
            _ => Garnet("the AppHost asks for it"),
        };
    }

    private static StoreChoice Automatic() =>
        InstalledPrograms.ContainerRuntime() is { } runtime
            ? new(McpStoreKind.Container, $"Redis in a container, because {runtime} runs")
            : Installed("no container runtime runs") ?? Garnet("no container runtime runs and redis-server is not installed");

    private static StoreChoice? Installed(string reason) =>
        InstalledPrograms.Find(RedisServer) is { } program ? new(McpStoreKind.RedisServer, $"{program}, because {reason}", program) : null;

    private static StoreChoice Garnet(string reason) =>
        new(McpStoreKind.Garnet, $"Garnet {GarnetResource.Version} as a .NET tool, because {reason}. Sessions end with the application");

    private static bool Existing(IConfiguration configuration, string name) => !string.IsNullOrWhiteSpace(configuration.GetConnectionString(name));

    private static McpStoreKind? Wanted(IConfiguration configuration) => configuration[Setting] switch
    {
        null or "" => null,
        var text when Enum.TryParse<McpStoreKind>(text, ignoreCase: true, out var kind) && Enum.IsDefined(kind) => kind,
        var text => throw new McpHostingException($"Store is '{text}'; set it to one of {string.Join(", ", Enum.GetNames<McpStoreKind>())}."),
    };
}
