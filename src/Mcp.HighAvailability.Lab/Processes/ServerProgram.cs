using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>The server program that replicas run.</summary>
/// <param name="Program">How to run it.</param>
/// <param name="HasHealth">Whether it is known to have <c>/health</c>.</param>
internal sealed record ServerProgram(SolutionProgram Program, bool HasHealth)
{
    /// <summary>The sample of this solution.</summary>
    public static ServerProgram Sample { get; } = new(SolutionProgram.Server, HasHealth: true);

    /// <summary>Builds a user's own project; a <c>.dll</c> is taken as built.</summary>
    /// <exception cref="LabException">There is no such project, or it does not build.</exception>
    public static async Task<ServerProgram> BuildAsync(string path, string logFolder, CancellationToken cancellationToken)
    {
        if (Path.GetExtension(path) == ".dll" && File.Exists(path))
            return new(new SolutionProgram(Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFullPath(path)), HasHealth: false);

        var project = Find(path);
        Directory.CreateDirectory(logFolder);
        var log = Path.Combine(logFolder, "build.log");
        if (await RunAsync(["build", project, "-c", "Release", "-v", "quiet", "-nologo"], log, cancellationToken) != 0)
            throw new LabException($"{project} does not build. The end of {log}:\n{string.Join('\n', LogTail.Read(log, 15).Select(line => "  | " + line))}");

        var answer = Path.Combine(logFolder, "build-output.json");
        File.Delete(answer);
        if (await RunAsync(["msbuild", project, "-p:Configuration=Release", "-getProperty:TargetPath,OutputType", "-nologo"], answer, cancellationToken) != 0)
            throw new LabException($"dotnet msbuild does not say what {project} builds; see {answer}.");

        var properties = JsonNode.Parse(await File.ReadAllTextAsync(answer, cancellationToken))?["Properties"];
        var assembly = (string?)properties?["TargetPath"] ?? "";
        if ((string?)properties?["OutputType"] != "Exe" || !File.Exists(assembly))
            throw new LabException($"{project} is no program that can be run: name the project of a server with --project.");
        return new(new SolutionProgram(Path.GetDirectoryName(assembly)!, assembly), HasHealth: false);
    }

    private static string Find(string path)
    {
        if (File.Exists(path))
            return Path.GetFullPath(path);
        if (!Directory.Exists(path))
            throw new LabException($"--project {path} does not exist: name a project file, a folder that holds one, or the .dll of a built server.");

        var projects = Directory.GetFiles(path, "*.csproj");
        return projects.Length == 1
            ? Path.GetFullPath(projects[0])
            : throw new LabException($"--project {path} holds {projects.Length} project files: name one of them.");
    }

    private static async Task<int> RunAsync(string[] arguments, string log, CancellationToken cancellationToken)
    {
        await using var process = await ChildProcess.StartAsync(
            new ProcessSpec("dotnet", Executables.DotNet, arguments, new Dictionary<string, string?>(), Environment.CurrentDirectory, log));
        return await process.Exited.WaitAsync(cancellationToken);
    }
}
