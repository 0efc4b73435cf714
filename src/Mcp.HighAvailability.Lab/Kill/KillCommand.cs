using System.CommandLine;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Kill;

/// <summary><c>kill</c>: kills the replica under a running call of a cluster on this machine, and prints what the client sees.</summary>
internal static class KillCommand
{
    public const string Name = "kill";

    public static Command Create()
    {
        var url = new Option<Uri>("--url")
        {
            Description = "MCP endpoint of the cluster, on this machine.",
            DefaultValueFactory = static _ => new("http://127.0.0.1:5200/mcp"),
            CustomParser = static result => Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var parsed) ? parsed : Invalid(result),
            HelpName = "URL",
        };
        var tool = new Option<string>("--tool")
        {
            Description = "Sample tool to call: countdown may be rerun, deliver must not run twice.",
            DefaultValueFactory = static _ => KillRun.Countdown,
        };
        tool.AcceptOnlyFromAmong(KillRun.Countdown, KillRun.Deliver);
        var token = new Option<string?>("--token") { Description = "Bearer token, where the cluster asks for one.", HelpName = "TOKEN" };

        var command = new Command(Name, "Opens a session, calls a sample tool, kills the replica that runs it, and prints what the client sees.")
        {
            url, tool, token,
        };
        command.SetAction(async (result, cancellationToken) =>
            await new KillRun(result.GetValue(url)!, result.GetValue(token), Console.Out).RunAsync(result.GetValue(tool)!, cancellationToken) ? 0 : 1);
        return command;
    }

    private static Uri? Invalid(System.CommandLine.Parsing.ArgumentResult result)
    {
        result.AddError($"--url must be an absolute URL, such as http://127.0.0.1:5200/mcp, not '{result.Tokens[0].Value}'.");
        return null;
    }
}
