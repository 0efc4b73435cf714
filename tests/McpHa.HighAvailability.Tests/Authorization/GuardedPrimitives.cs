using Microsoft.AspNetCore.Authorization;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

[McpServerToolType, Authorize]
internal sealed class GuardedTools(ToolScript script, ISessionState state, IReplicaContext replica)
{
    [McpServerTool(Name = "for-users"), Rerun]
    public Task<string> ForUsersAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken, string text = "") =>
        RunAsync(context, text, cancellationToken);

    [McpServerTool(Name = "for-admins"), Authorize(Roles = "admin"), Rerun]
    public Task<string> ForAdminsAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken, string text = "") =>
        RunAsync(context, text, cancellationToken);

    [McpServerTool(Name = "for-all"), AllowAnonymous]
    public Task<string> ForAllAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken, string text = "") =>
        RunAsync(context, text, cancellationToken);

    private Task<string> RunAsync(RequestContext<CallToolRequestParams> context, string text, CancellationToken cancellationToken) => script.RunAsync(
        new(text, context.Server, context.Params?.ProgressToken, state, replica, context.User?.FindFirst("sub")?.Value, cancellationToken));
}

[McpServerPromptType]
internal sealed class GuardedPrompts
{
    [McpServerPrompt(Name = "admin-prompt"), Authorize(Roles = "admin")]
    public static string Admin() => "secret prompt";
}

[McpServerResourceType]
internal sealed class GuardedResources
{
    [McpServerResource(UriTemplate = "test://secret", Name = "secret"), Authorize(Roles = "admin")]
    public static string Secret() => "secret text";

    [McpServerResource(UriTemplate = "test://secret/{id}", Name = "secret-template"), Authorize(Roles = "admin")]
    public static string Template(string id) => "secret text " + id;
}
