using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.Lab.Up;

/// <summary>What replicas in one process share instead of a Redis: one instance of each in-memory implementation.</summary>
internal sealed class SharedMemory : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public SharedMemory()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMcpServer().WithHighAvailability();
        _services = services.BuildServiceProvider();
    }

    /// <summary>Registers the shared instances; what is registered afterwards leaves them alone.</summary>
    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(_services.GetRequiredService<ISessionStore>());
        services.AddSingleton(_services.GetRequiredService<ISessionLookup>());
        services.AddSingleton(_services.GetRequiredService<ISessionJournal>());
        services.AddSingleton(_services.GetRequiredService<IEventBus>());
        services.AddSingleton(_services.GetRequiredService<IReplicaRegistry>());
        services.AddSingleton(_services.GetRequiredService<IStateHandleStore>());
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
