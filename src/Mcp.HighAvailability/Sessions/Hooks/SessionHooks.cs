using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Runs the application's callbacks whenever the server of a session starts: when the session is opened, and in each later owner.</summary>
internal sealed class SessionHooks(
    IOptions<SessionHookOptions> options, IOptionsFactory<McpServerOptions> factory, KeptIdentity identity, IServiceProvider services)
{
    /// <summary>Whether the application has any. Without them nothing is recorded, and servers start on demand.</summary>
    public bool Any => Configures || options.Value.Run is not null;

    /// <summary>Whether the application gives each session, and each request without one, options of its own.</summary>
    public bool Configures => options.Value.Configure.Count > 0;

    /// <summary>Whether the application runs servers itself.</summary>
    public bool Runs => options.Value.Run is not null;

    /// <summary>What is recorded of the opening.</summary>
    public ReadOnlyMemory<byte> Record(SessionOpening opening, string sessionId) => opening.Write(sessionId, identity);

    /// <summary>The context of a session that is opened here.</summary>
    public McpSessionContext ContextOf(SessionOpening opening, string? sessionId, bool isTakeOver = false) => new()
    {
        SessionId = sessionId,
        Path = opening.Path,
        RouteValues = opening.RouteValues,
        User = opening.User,
        IsTakeOver = isTakeOver,
        Services = services,
    };

    /// <summary>The context of a session that was opened elsewhere.</summary>
    public McpSessionContext ContextOf(SessionRecord record)
    {
        ReadOnlyMemory<byte>? recorded = record.Handshake.TryGetValue(HandshakeKeys.Opening, out var opening) ? opening : null;
        return ContextOf(SessionOpening.Read(recorded, record.Id, record.User, identity), record.Id, isTakeOver: true);
    }

    /// <summary>Options for one session, with tools, prompts and resources of its own; <paramref name="shared"/> if the application changes none.</summary>
    public async ValueTask<McpServerOptions> ConfigureAsync(McpSessionContext context, McpServerOptions shared, CancellationToken cancellationToken)
    {
        if (!Configures)
            return shared;
        var own = factory.Create(Options.DefaultName);
        await ConfigureOwnAsync(context, own, cancellationToken).ConfigureAwait(false);
        return own;
    }

    /// <summary>Changes options that belong to one session or request.</summary>
    public async Task ConfigureOwnAsync(McpSessionContext context, McpServerOptions own, CancellationToken cancellationToken)
    {
        foreach (var configure in options.Value.Configure)
            await configure(context, own, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs a server to its end.</summary>
    public Task RunAsync(McpSessionContext context, McpServer server, CancellationToken cancellationToken) =>
        options.Value.Run is { } run ? run(context, server, cancellationToken) : server.RunAsync(cancellationToken);
}
