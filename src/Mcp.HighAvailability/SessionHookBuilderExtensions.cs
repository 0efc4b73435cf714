using Mcp.HighAvailability;
using Mcp.HighAvailability.Sessions;
using ModelContextProtocol.Server;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>What <c>HttpServerTransportOptions</c> has for each session, for sessions that outlive their replica.</summary>
public static class SessionHookBuilderExtensions
{
    /// <summary>
    /// Calls a function that chooses the tools, prompts, resources and other options of one session, by the path, the route values or the user that opened
    /// it. It runs when the session is opened and again in each replica that takes the session over, and for each request of a client without a session.
    /// </summary>
    /// <remarks>
    /// The options belong to the session: collections may be changed. The result must depend on the context alone, or a session changes with its owner. A
    /// tool that only one session has is run again after a loss like any other, see <see cref="RerunAttribute"/>. Functions run in the order of their calls.
    /// </remarks>
    public static HighAvailabilityBuilder ConfigureSessionOptions(
        this HighAvailabilityBuilder builder, Func<McpSessionContext, McpServerOptions, CancellationToken, Task> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Configure<SessionHookOptions>(hooks => hooks.Configure.Add(configure));
        return builder;
    }

    /// <summary>
    /// Calls a function that runs the server of a session, to do something before it starts and after it has ended in this replica. The function must call
    /// and await <see cref="McpServer.RunAsync"/> with the token that it gets. It runs again in each replica that takes the session over.
    /// </summary>
    /// <remarks>The token ends when the session ends or moves. The last call wins.</remarks>
    public static HighAvailabilityBuilder RunSessionHandler(
        this HighAvailabilityBuilder builder, Func<McpSessionContext, McpServer, CancellationToken, Task> run)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(run);
        builder.Services.Configure<SessionHookOptions>(hooks => hooks.Run = run);
        return builder;
    }
}
