using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Tells clients of this replica that a list has changed, where no SDK server does: servers that run tell the clients of their sessions.</summary>
internal sealed class ListChanges(SessionHost host, IOptions<McpServerOptions> server) : IHostedService
{
    /// <summary>Raised with the notification's method, for streams that belong to no session.</summary>
    public event Action<string>? Changed;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (server.Value.ToolCollection is { } tools)
            tools.Changed += OnToolsChanged;
        if (server.Value.PromptCollection is { } prompts)
            prompts.Changed += OnPromptsChanged;
        if (server.Value.ResourceCollection is { } resources)
            resources.Changed += OnResourcesChanged;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        if (server.Value.ToolCollection is { } tools)
            tools.Changed -= OnToolsChanged;
        if (server.Value.PromptCollection is { } prompts)
            prompts.Changed -= OnPromptsChanged;
        if (server.Value.ResourceCollection is { } resources)
            resources.Changed -= OnResourcesChanged;
        return Task.CompletedTask;
    }

    private void OnToolsChanged(object? sender, EventArgs e) => Tell(NotificationMethods.ToolListChangedNotification);

    private void OnPromptsChanged(object? sender, EventArgs e) => Tell(NotificationMethods.PromptListChangedNotification);

    private void OnResourcesChanged(object? sender, EventArgs e) => Tell(NotificationMethods.ResourceListChangedNotification);

    private void Tell(string method)
    {
        // Queued for each session's next commit. A session that has left meanwhile gets nothing from this replica.
        foreach (var session in host.Sessions.Where(static session => !session.Activation.IsComplete))
            session.Unrelated.TrySend(new JsonRpcNotification { Method = method });
        Changed?.Invoke(method);
    }
}
