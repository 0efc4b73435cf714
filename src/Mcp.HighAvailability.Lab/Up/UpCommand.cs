using System.CommandLine;
using System.Globalization;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary><c>up</c>: a local cluster to look at and to break.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var replicas = Count("--replicas", "Number of server replicas.", 3, 1, 50);
        var balancers = Count("--balancers", "Number of balancers; further ones listen on the ports after --port.", 1, 1, 10);
        var port = Count("--port", "Port of the first balancer on 127.0.0.1.", 5200, 1, 65_535);
        var redis = new Option<string?>("--redis") { Description = "Connection string of a Redis to use instead of starting one.", HelpName = "CONNECTION" };
        var restartAfter = new Option<double>("--restart-after") { Description = "Seconds after which what dies is started again.",
            DefaultValueFactory = static _ => 2, HelpName = "SECONDS" };
        restartAfter.Validators.Add(static result =>
        {
            if (double.TryParse(result.Tokens.SingleOrDefault()?.Value, CultureInfo.InvariantCulture, out var given) && given is not (>= 0 and <= 3600))
                result.AddError($"--restart-after must be between 0 and 3600 seconds, not {given}.");
        });
        var noRestart = new Option<bool>("--no-restart") { Description = "Do not start again what dies." };
        var dashboard = new Option<bool>("--dashboard") { Description = "Start the Aspire dashboard; all processes export their telemetry to it." };
        var nginx = new Option<string?>("--nginx")
        {
            Description = "Start an nginx that hands requests to one replica after the other, past the balancers; or, with 'balancers', to one balancer " +
                "after the other.",
            HelpName = "replicas|balancers",
            Arity = ArgumentArity.ZeroOrOne,
        };
        nginx.AcceptOnlyFromAmong("replicas", "balancers");
        var nginxPort = Count("--nginx-port", "Port of nginx on 127.0.0.1.", 5300, 1, 65_535);
        var project = new Option<string?>("--project")
        {
            Description = "Project (or built .dll) of a server of your own to run in the place of the sample; it serves /mcp and takes its Redis from " +
                "ConnectionStrings:redis.",
            HelpName = "PATH",
        };
        var endWithParent = new Option<bool>("--end-with-parent") { Description = "End when the process that started Lab ends.", Hidden = true };

        var command = new Command("up", "Starts Redis, server replicas and balancers on this machine, and keeps them running until Ctrl-C.")
        {
            replicas, balancers, port, redis, restartAfter, noRestart, dashboard, nginx, nginxPort, project, endWithParent,
        };
        command.SetAction((result, cancellationToken) => UpSession.RunAsync(
            new UpOptions(
                result.GetValue(replicas),
                result.GetValue(balancers),
                result.GetValue(port),
                result.GetValue(redis),
                RestartAfter: result.GetValue(noRestart) ? null : TimeSpan.FromSeconds(result.GetValue(restartAfter)),
                result.GetValue(dashboard),
                result.GetResult(nginx) is null ? NginxFront.None : result.GetValue(nginx) == "balancers" ? NginxFront.Balancers : NginxFront.Replicas,
                result.GetValue(nginxPort),
                result.GetValue(project),
                result.GetValue(endWithParent),
                Path.GetFullPath(".lab")),
            cancellationToken));
        return command;
    }

    private static Option<int> Count(string name, string description, int value, int low, int high)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
        option.Validators.Add(result =>
        {
            // A value that is no number has its own error already.
            if (int.TryParse(result.Tokens.SingleOrDefault()?.Value, out var given) && (given < low || given > high))
                result.AddError($"{name} must be between {low} and {high}, not {given}.");
        });
        return option;
    }
}
