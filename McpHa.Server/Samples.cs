using McpHa.Server.Resources;
using McpHa.Server.Tools;
using ModelContextProtocol.Server;

namespace McpHa.Server;

/// <summary>Services of the sample tools. Delete it with the folders Tools, Prompts and Resources.</summary>
public static class Samples
{
    /// <summary>Adds the services of the samples, and the instructions that clients give their model.</summary>
    public static IMcpServerBuilder WithSamples(this IMcpServerBuilder server)
    {
        server.Services.AddSingleton<AnnouncementBoard>();
        server.Services.AddSingleton<DeliveryLog>();
        server.Services.Configure<McpServerOptions>(options => options.ServerInstructions =
            "Notes and counters belong to this session and are kept as long as it lasts. "
            + "If a call fails with an error that says it may have run, ask the user before you repeat it.");
        return server.WithRequestFilters(filters => filters.AddCallToolFilter(ArgumentErrors.Explain));
    }
}
