using Mcp.HighAvailability;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

/// <summary>Your database: names of tools, with the text that each returns.</summary>
public interface IToolTable
{
    Task<IReadOnlyDictionary<string, string>> ReadAsync();

    Task AddAsync(string name, string text);
}

/// <summary>Tools that are added while the cluster runs: each replica loads them at its start, and again whenever any replica has changed the table.</summary>
public sealed class ToolCatalog(IToolTable table, IClusterEvents events, IOptions<McpServerOptions> server) : IHostedService
{
    private const string Changed = "tools-changed";
    private IDisposable? _subscription;

    /// <summary>Adds a tool to every replica. Each replica tells its clients that its list has changed.</summary>
    public async Task AddAsync(string name, string text)
    {
        await table.AddAsync(name, text);
        await events.PublishAsync(Changed, name);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // First the subscription: what changes while the table is read is read again.
        _subscription = events.Subscribe<string>(Changed, _ => LoadAsync(), missed: LoadAsync);
        await LoadAsync();
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _subscription?.Dispose();
        return Task.CompletedTask;
    }

    private async ValueTask LoadAsync()
    {
        foreach (var (name, text) in await table.ReadAsync())
            server.Value.ToolCollection!.TryAdd(McpServerTool.Create(() => text, new() { Name = name, ReadOnly = true }));
    }
}
