using McpHa.HighAvailability.Authorization;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Sessions;

/// <summary>The server of rehearsals: tools of its own, and of filters only those that every server has. Nothing of the user's runs.</summary>
internal sealed class MakeBelieveServer(
    StateHandleFilter handles, PrimitiveAuthorization authorization, Polling polling, IServiceProvider services)
{
    /// <summary>A tool that may be run again.</summary>
    public const string Again = "again";

    /// <summary>A tool that may not.</summary>
    public const string Once = "once";

    public McpServerOptions Options()
    {
        var options = new McpServerOptions
        {
            ServerInfo = new() { Name = "rehearsal", Version = "1" },
            ToolCollection =
            [
                McpServerTool.Create(CountAsync, new() { Name = Again, Idempotent = true, Services = services }),
                McpServerTool.Create(CountAsync, new() { Name = Once, Services = services }),
            ],
        };
        HighAvailabilityMcpServerBuilderExtensions.Prepare(options, handles, authorization, polling);
        return options;
    }

    private static async Task<int> CountAsync(ISessionState state, IProgress<ProgressNotificationValue> progress, CancellationToken cancellationToken)
    {
        // Once for the earlier run's ears, once for this one's.
        progress.Report(new() { Progress = 1 });
        progress.Report(new() { Progress = 2 });
        await Task.Yield();
        return await state.UpdateAsync<int>("count", count => count + 1, cancellationToken).ConfigureAwait(false);
    }
}
