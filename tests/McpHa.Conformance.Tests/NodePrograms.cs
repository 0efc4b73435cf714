using System.Diagnostics;
using System.Text;

namespace McpHa.Tests.Conformance;

/// <summary>The programs of <c>tests/conformance</c>, and the Node.js that runs them.</summary>
internal static class NodePrograms
{
    private const int MinVersion = 22;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    private static readonly string? Node = FindNode();

    /// <summary>Why they cannot run here; <see langword="null"/> if they can.</summary>
    public static string? Unavailable { get; } =
        !Directory.Exists(Path.Combine(Modules, "conformance-next")) ? "the conformance suite is not installed: run 'npm ci' in tests/conformance"
        : Node is null ? $"Node.js {MinVersion} or later is not installed"
        : null;

    /// <summary>Where npm has put them.</summary>
    private static string Modules
    {
        get
        {
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "conformance", "package.json")))
                    return Path.Combine(folder.FullName, "conformance", "node_modules");
            }

            throw new InvalidOperationException("tests/conformance is not above the tests.");
        }
    }

    /// <summary>A file beside <c>node_modules</c>.</summary>
    public static string PathOf(string name) => Path.Combine(Path.GetDirectoryName(Modules)!, name);

    /// <summary>Runs a script of a package to its end.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string script, params IEnumerable<string> arguments)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(Node!, [Path.Combine(Modules, script), .. arguments])
            {
                WorkingDirectory = Path.GetDirectoryName(Modules)!,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        // The Inspector keeps a list of servers: not in the home of the user who runs the tests.
        process.StartInfo.Environment["MCP_CATALOG_PATH"] = Path.Combine(Path.GetTempPath(), $"inspector-{Environment.ProcessId}.json");
        var output = new StringBuilder();
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{script} {string.Join(' ', arguments)} has not ended in {Limit.TotalMinutes:0} minutes:\n{output}");
        }

        lock (output)
            return (process.ExitCode, output.ToString());

        void Keep(object? sender, DataReceivedEventArgs line)
        {
            lock (output)
                output.AppendLine(line.Data);
        }
    }

    // The one that was installed along with them, otherwise the machine's.
    private static string? FindNode()
    {
        if (Directory.Exists(Modules) && Directory.EnumerateDirectories(Modules, "node-*").Select(folder => Path.Combine(folder, "bin", "node")).FirstOrDefault(File.Exists) is { } installed)
            return installed;
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "node")).FirstOrDefault(File.Exists);
        if (onPath is null)
            return null;
        using var process = Process.Start(new ProcessStartInfo(onPath, "--version") { RedirectStandardOutput = true })!;
        var version = process.StandardOutput.ReadToEnd().Trim().TrimStart('v').Split('.')[0];
        return int.TryParse(version, out var major) && major >= MinVersion ? onPath : null;
    }
}
