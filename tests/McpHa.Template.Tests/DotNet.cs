using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>Runs the <c>dotnet</c> command, as a user does.</summary>
internal static class DotNet
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(14);

    /// <summary>Runs it and returns its output.</summary>
    /// <exception cref="InvalidOperationException">It failed. The message holds its output.</exception>
    public static Task<string> RunAsync(string folder, params string[] arguments) => RunProgramAsync("dotnet", folder, arguments);

    /// <inheritdoc cref="RunAsync(string, string[])"/>
    public static Task<string> RunAsync(string folder, Dictionary<string, string> variables, params string[] arguments) =>
        RunProgramAsync("dotnet", folder, arguments, variables);

    /// <summary>Runs another program in the same way.</summary>
    /// <exception cref="InvalidOperationException">It failed. The message holds its output.</exception>
    public static async Task<string> RunProgramAsync(string program, string folder, string[] arguments, Dictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var inherited in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(inherited);
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        // A node that stays behind would hold the output open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach (var (name, value) in variables ?? [])
            start.Environment[name] = value;

        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            var said = await output + await errors;
            return process.ExitCode == 0
                ? said
                : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} in {folder} ended with {process.ExitCode}:\n{said}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} in {folder} did not end within {Limit.TotalMinutes:0} minutes.");
        }
    }
}
