#if (!noSamples)
using McpHa.Server.Resources;
using McpHa.Server.Tools;

#endif
namespace McpHa.Server;

/// <summary>What this server offers, apart from how it is hosted.</summary>
public static class Features
{
    /// <summary>Adds the tools, prompts and resources of this project, and the services that they use.</summary>
    public static IMcpServerBuilder WithFeatures(this IMcpServerBuilder server)
    {
#if (!noSamples)
        server.Services.AddSingleton<AnnouncementBoard>();
        server.Services.AddSingleton<DeliveryLog>();
        server.WithRequestFilters(filters => filters.AddCallToolFilter(ArgumentErrors.Explain));

#endif
        var assembly = typeof(Features).Assembly;
        return server
            .WithToolsFromAssembly(assembly)
            .WithPromptsFromAssembly(assembly)
            .WithResourcesFromAssembly(assembly);
    }
}
