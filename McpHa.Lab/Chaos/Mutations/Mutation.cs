using McpHa.HighAvailability.Diagnostics;

namespace McpHa.Lab.Chaos.Mutations;

/// <summary>A cluster with one safeguard switched off in all of its processes: a run in which the checker has to find a violation.</summary>
internal static class Mutation
{
    /// <summary>Environment variable by which <see cref="StartupHook"/>, and nothing else, is told the safeguard.</summary>
    public const string Variable = "MCP_HA_MUTATE";

    /// <summary>What can be switched off.</summary>
    public static IReadOnlyList<string> Names => Safeguards.Names;

    /// <summary>The name in the right case; <see langword="null"/> when there is no such safeguard.</summary>
    public static string? Find(string name) => Names.FirstOrDefault(known => known.Equals(name.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase));

    /// <summary>Environment of the processes of a mutated cluster.</summary>
    public static IReadOnlyDictionary<string, string?> Environment(string name) => new Dictionary<string, string?>
    {
        [Variable] = name,
        ["DOTNET_STARTUP_HOOKS"] = typeof(Mutation).Assembly.Location,
    };
}
