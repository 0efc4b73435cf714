using System.Collections.Concurrent;
using System.Diagnostics;

namespace McpHa.Tests;

/// <summary><c>chaos</c> as a process of its own.</summary>
internal static class ChaosProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(12);

    /// <summary>Runs it to its end in a folder.</summary>
    public static async Task<(int Code, string Output)> RunAsync(DirectoryInfo folder, params string[] arguments)
    {
        using var lab = Start(folder, arguments);
        try
        {
            var output = Read(lab);
            using var limit = new CancellationTokenSource(Limit);
            await lab.WaitForExitAsync(limit.Token);
            return (lab.ExitCode, string.Join('\n', output));
        }
        finally
        {
            if (!lab.HasExited)
                lab.Kill();
        }
    }

    public static Process Start(DirectoryInfo folder, params string[] arguments) =>
        Process.Start(new ProcessStartInfo("dotnet", [LabCluster.LabAssembly(), "chaos", "--end-with-parent", .. arguments])
        {
            WorkingDirectory = folder.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    /// <summary>Everything that it writes, line by line, while it runs.</summary>
    public static ConcurrentQueue<string> Read(Process lab)
    {
        var output = new ConcurrentQueue<string>();
        lab.OutputDataReceived += (_, line) => Keep(line.Data);
        lab.ErrorDataReceived += (_, line) => Keep(line.Data);
        lab.BeginOutputReadLine();
        lab.BeginErrorReadLine();
        return output;

        void Keep(string? line)
        {
            if (line is not null)
                output.Enqueue(line);
        }
    }
}
