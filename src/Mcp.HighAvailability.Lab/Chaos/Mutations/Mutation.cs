using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>
/// A cluster that lacks one safeguard in all of its processes: a run in which the checker has to find a violation. The library knows nothing of it:
/// decorators around its parts take the safeguard away.
/// </summary>
internal static class Mutation
{
    /// <summary>Environment variable by which <see cref="StartupHook"/>, and nothing else, is told the safeguard.</summary>
    public const string Variable = "MCP_HA_MUTATE";

    /// <summary>Safeguards that can be switched off.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "Fence", "DuplicateRecognition", "JournalBeforeSend", "Splice", "RerunPolicy", "ProgressRecognition", "QuestionRecognition", "StateCommit",
        "TaskFence", "TaskCreation", "TaskRerunPolicy",
    ];

    /// <summary>The name in the right case; <see langword="null"/> when there is no such safeguard.</summary>
    public static string? Find(string name) =>
        Names.FirstOrDefault(known => known.Equals(name.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase));

    /// <summary>Environment of the processes of a mutated cluster.</summary>
    public static IReadOnlyDictionary<string, string?> Environment(string name) => new Dictionary<string, string?>
    {
        [Variable] = name,
        ["DOTNET_STARTUP_HOOKS"] = typeof(Mutation).Assembly.Location,
    };

    /// <summary>Puts the decorators around the services of a server or a balancer.</summary>
    public static void Apply(string safeguard, IServiceCollection services)
    {
        Decorate<ISessionStore>(services, (_, store) => MutatedStore.Without(safeguard, store) ?? store);
        Decorate<ISessionJournal>(services, (provider, journal) =>
            provider.GetRequiredService<ISessionStore>() is LateStore late ? new LateJournal(journal, late) : journal);
        Decorate<ITaskStore>(services, (_, store) => MutatedTaskStore.Without(safeguard, store) ?? store);
        if (safeguard == "RerunPolicy")
            services.PostConfigure<McpServerOptions>(RerunAnyway.Wrap);
        services.AddSingleton<IStartupFilter>(new MutatedRequests(safeguard));
    }

    private static void Decorate<T>(IServiceCollection services, Func<IServiceProvider, T, T> around) where T : class
    {
        if (services.LastOrDefault(service => service.ServiceType == typeof(T)) is not { } original)
            return;
        services.Remove(original);
        services.AddSingleton(provider => around(provider, (T)(
            original.ImplementationInstance ?? original.ImplementationFactory?.Invoke(provider)
                ?? ActivatorUtilities.CreateInstance(provider, original.ImplementationType!))));
    }
}
