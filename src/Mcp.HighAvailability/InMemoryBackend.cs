using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Mcp.HighAvailability;

/// <summary>The embedded default behind every seam.</summary>
internal static class InMemoryBackend
{
    /// <summary>Registers the in-memory implementation of every seam that has none yet.</summary>
    public static IServiceCollection TryAddInMemoryBackend(this IServiceCollection services)
    {
        services.AddOptions();
        services.AddLogging();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<InMemorySessions>();
        services.TryAddSingleton<ISessionStore, InMemorySessionStore>();
        services.TryAddSingleton<ISessionLookup, InMemorySessionLookup>();
        services.TryAddSingleton<IStoreFigures, InMemoryStoreFigures>();
        services.TryAddSingleton<ISessionJournal, InMemorySessionJournal>();
        services.TryAddSingleton<IEventBus, InMemoryEventBus>();
        services.TryAddSingleton<IBroadcastLog, InMemoryBroadcastLog>();
        services.TryAddSingleton<IReplicaRegistry, InMemoryReplicaRegistry>();
        services.TryAddSingleton<IStateHandleStore, InMemoryStateHandleStore>();
        services.TryAddSingleton<ITaskStore, InMemoryTaskStore>();
        services.TryAddSingleton<IXmlRepository, InMemoryXmlRepository>();
        return services;
    }
}
