using System.Collections.Concurrent;
using System.Diagnostics;

namespace McpHa.Tests.Commands;

/// <summary>
/// A bash that runs one block after the other, as a reader does who copies them into a terminal: variables, functions, the folder and processes in
/// the background stay.
/// All of them end with it, and it ends with the process of the tests.
/// </summary>
internal sealed class Shell : IAsyncDisposable
{
    private const string Loop = """
        exec 2>&1
        set -e
        trap 'kill -9 -- -$$' EXIT
        while IFS= read -r block; do . "$block" < /dev/null; echo "$block is done"; done
        """;

    // No measure of anything: what is built in a block takes as long as the machine wants.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    private readonly ConcurrentQueue<string> _output = new();
    private readonly DirectoryInfo _blocks = Directory.CreateTempSubdirectory("blocks-");
    private readonly Process _bash;
    private int _block;

    /// <param name="folder">Where it begins.</param>
    public Shell(string folder)
    {
        // A group of its own, so that everything in it can be ended at once.
        var start = new ProcessStartInfo("setsid", ["bash", "-c", Loop]) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true };
        // Nodes of the build would outlive this shell, or be ended while another one uses them.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        // The libraries are built beside the tests.
        start.Environment["PACK_NO_BUILD"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        _bash = new Process { StartInfo = start };
        _bash.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null)
                _output.Enqueue(line.Data);
        };
        _bash.Start();
        _bash.BeginOutputReadLine();
    }

    /// <summary>Why there is none here; <see langword="null"/> if there is. For <c>Skip.If</c>.</summary>
    public static string? Unavailable => OperatingSystem.IsLinux() ? null : "commands of the pages are run on Linux only";

    /// <summary>Runs a block to its end and returns what it wrote.</summary>
    /// <exception cref="ShellException">A command failed.</exception>
    public async Task<string[]> RunAsync(string text)
    {
        var file = Path.Combine(_blocks.FullName, $"{++_block}.sh");
        var done = $"{file} is done";
        await File.WriteAllTextAsync(file, text + "\n");
        var before = _output.Count;
        await _bash.StandardInput.WriteLineAsync(file);
        await _bash.StandardInput.FlushAsync();
        await Wait.UntilAsync(() => _bash.HasExited || _output.Skip(before).Any(line => line.EndsWith(done, StringComparison.Ordinal)), $"the end of\n{text}", Limit);

        if (_bash.HasExited)
        {
            // Until the end of its output, too.
            await _bash.WaitForExitAsync();
            throw new ShellException($"Failed:\n{text}\n\nIt said:\n{string.Join('\n', _output.Skip(before))}");
        }

        // What a command writes need not end with a line of its own. What bash says of processes that were killed in the background is no command's.
        var lines = _output.Skip(before).Where(line => !(line.StartsWith(_blocks.FullName, StringComparison.Ordinal) && line.Contains(" Killed ", StringComparison.Ordinal))).ToList();
        var last = lines.FindIndex(line => line.EndsWith(done, StringComparison.Ordinal));
        return lines[last] == done ? [.. lines[..last]] : [.. lines[..last], lines[last][..^done.Length]];
    }

    public async ValueTask DisposeAsync()
    {
        _bash.StandardInput.Close();
        await _bash.WaitForExitAsync();
        _bash.Dispose();
        _blocks.Delete(recursive: true);
    }
}

internal sealed class ShellException(string message) : Exception(message);
