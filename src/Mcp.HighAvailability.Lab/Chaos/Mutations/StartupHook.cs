using System.Diagnostics;
using Mcp.HighAvailability.Lab.Chaos.Mutations;
using Microsoft.Extensions.Hosting;

/// <summary>
/// Runs in a process of the cluster before its own program does, if Lab has started it with this assembly as a startup hook
/// (https://github.com/dotnet/runtime/blob/main/docs/design/features/host-startup-hook.md, which asks for this name outside of any namespace).
/// </summary>
internal sealed class StartupHook : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
{
    private readonly string _safeguard;

    private StartupHook(string safeguard) => _safeguard = safeguard;

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Mutation.Variable) is not { Length: > 0 } safeguard)
            return;
        DiagnosticListener.AllListeners.Subscribe(new StartupHook(safeguard));
        Console.Error.WriteLine($"warning: this process lacks the safeguard {safeguard}, for a test of the chaos checker.");
    }

    public void OnNext(DiagnosticListener value)
    {
        if (value.Name == "Microsoft.Extensions.Hosting")
            value.Subscribe(this);
    }

    // A host tells its builder when the program has added all of its services.
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value is { Key: "HostBuilding", Value: IHostBuilder builder })
            builder.ConfigureServices((_, services) => Mutation.Apply(_safeguard, services));
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }
}
