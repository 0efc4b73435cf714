using System.Reflection;

namespace McpHa.Server;

/// <summary>The features of this server, apart from how it is hosted.</summary>
public static class Features
{
    private static readonly Assembly _this = typeof(Features).Assembly;

    /// <summary>Adds the tools, prompts and resources of this project. Register the services that they need here.</summary>
    public static IMcpServerBuilder WithFeatures(this IMcpServerBuilder server) => server
        .WithToolsFromAssembly(_this)
        .WithPromptsFromAssembly(_this)
        .WithResourcesFromAssembly(_this)
        .WithSamples();
}
