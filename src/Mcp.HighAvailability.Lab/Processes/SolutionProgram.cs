namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>A program of this solution, which the build puts into a folder of its own below Lab's, settings files included.</summary>
/// <param name="Folder">That folder.</param>
/// <param name="Assembly">Its main assembly file.</param>
internal sealed record SolutionProgram(string Folder, string Assembly)
{
    /// <summary>The MCP server.</summary>
    public static SolutionProgram Server { get; } = Locate("server");

    /// <summary>The balancer.</summary>
    public static SolutionProgram Balancer { get; } = Locate("balancer");

    // Published with its runtime: only its own host runs it, "dotnet" does not.
    private bool IsSelfContained => Directory.EnumerateFiles(Folder, "*hostfxr.*").Any();

    private string Host => Path.ChangeExtension(Assembly, OperatingSystem.IsWindows() ? "exe" : null);

    /// <summary>How to run it.</summary>
    /// <param name="name">Short name for messages and the log file.</param>
    /// <param name="url">Where it listens.</param>
    /// <param name="environment">Its settings.</param>
    /// <param name="logFile">Where its output goes.</param>
    /// <param name="arguments">Further settings, <c>--Key:Name=value</c>: variables with a dot in their name do not get through a shell.</param>
    public ProcessSpec At(string name, Uri url, IReadOnlyDictionary<string, string?> environment, string logFile, params string[] arguments) => new(
        name,
        IsSelfContained ? Host : Executables.DotNet,
        IsSelfContained ? arguments : [Assembly, .. arguments],
        new Dictionary<string, string?>(environment)
        {
            ["ASPNETCORE_URLS"] = url.GetLeftPart(UriPartial.Authority),
            ["ASPNETCORE_CONTENTROOT"] = Folder,
            ["DOTNET_LAUNCH_PROFILE"] = null,
        },
        Environment.CurrentDirectory,
        logFile);

    private static SolutionProgram Locate(string folder)
    {
        const string settings = ".runtimeconfig.json";
        var path = Path.Combine(AppContext.BaseDirectory, folder);
        var program = Directory.Exists(path) ? Directory.EnumerateFiles(path, "*" + settings).FirstOrDefault() : null;
        return program is null
            ? throw new LabException($"The folder {path} holds no program: build the lab again (dotnet build), which puts it there.")
            : new(path, program[..^settings.Length] + ".dll");
    }
}
