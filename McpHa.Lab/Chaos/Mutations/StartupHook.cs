using McpHa.HighAvailability.Diagnostics;
using McpHa.Lab.Chaos.Mutations;

/// <summary>
/// Runs in a process of the cluster before its own program does, if Lab has started it with this assembly as a startup hook
/// (https://github.com/dotnet/runtime/blob/main/docs/design/features/host-startup-hook.md, which asks for this name outside of any namespace).
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Mutation.Variable) is not { Length: > 0 } name)
            return;
        Safeguards.SwitchOff(name);
        Console.Error.WriteLine($"warning: the safeguard {name} is switched off in this process, for a test of the chaos checker.");
    }
}
