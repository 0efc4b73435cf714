using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Registers tasks.</summary>
internal static class TaskServices
{
    public static IServiceCollection AddTasks(this IServiceCollection services)
    {
        services.AddOptions<TaskOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TaskOptions>, TaskOptionsValidator>());
        services.TryAddSingleton<TaskPolicy>();
        services.TryAddSingleton<KeptIdentity>();
        services.TryAddSingleton<TaskServer>();
        services.TryAddSingleton<TaskNotices>();
        services.TryAddSingleton<TaskMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, TaskMetrics>(static p => p.GetRequiredService<TaskMetrics>()));
        services.TryAddSingleton<TaskHost>();
        services.TryAddSingleton<TaskCalls>();
        services.TryAddSingleton<TaskLookup>();
        services.TryAddSingleton<TaskMethods>();
        services.TryAddSingleton<TaskListening>();
        services.TryAddSingleton<ITaskState, TaskState>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStoreCheck, TaskHost>(static p => p.GetRequiredService<TaskHost>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, TaskNotices>(static p => p.GetRequiredService<TaskNotices>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, TaskTakeOver>());

        // After the others, so that it stops before them.
        services.TryAddSingleton<TaskDrain>();
        services.TryAddSingleton<IDrainedTasks>(static p => p.GetRequiredService<TaskDrain>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, TaskDrain>(static p => p.GetRequiredService<TaskDrain>()));

        // By the provider, as what is needed needs the options itself.
        services.AddOptions<McpServerOptions>().PostConfigure<IServiceProvider>(static (options, provider) =>
        {
            if (provider.GetRequiredService<TaskPolicy>().IsUsed(options) && provider.GetRequiredService<TaskMethods>().AddTo(options))
                options.Filters.Request.CallToolWithAlternateFilters.Add(provider.GetRequiredService<TaskCalls>().InvokeAsync);
        });
        return services;
    }
}
