using System.ComponentModel;
using System.Diagnostics;

namespace Mcp.HighAvailability.Hosting.Store;

/// <summary>Finds the programs of this machine.</summary>
internal static class InstalledPrograms
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    /// <summary>The container runtime that answers, or <see langword="null"/>. An installed client without its daemon does not count.</summary>
    public static string? ContainerRuntime()
    {
        string[] runtimes = Environment.GetEnvironmentVariable("ASPIRE_CONTAINER_RUNTIME") is { Length: > 0 } chosen ? [chosen] : ["docker", "podman"];
        return runtimes.FirstOrDefault(runtime => Succeeds(runtime, "container", "ls", "--last", "1"));
    }

    /// <summary>The path of a program on the PATH, or <see langword="null"/>.</summary>
    public static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .SelectMany(folder => new[] { Path.Combine(folder, program), Path.Combine(folder, program + ".exe") })
        .FirstOrDefault(File.Exists);

    private static bool Succeeds(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.OutputDataReceived += (_, _) => { };
            process.ErrorDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (process.WaitForExit(_timeout))
                return process.ExitCode == 0;

            process.Kill(entireProcessTree: true);
            return false;
        }
        catch (Win32Exception)
        {
            // Not installed.
            return false;
        }
    }
}
