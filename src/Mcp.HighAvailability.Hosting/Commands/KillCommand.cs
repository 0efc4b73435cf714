using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting.Restart;
using Microsoft.Extensions.DependencyInjection;
using static Mcp.HighAvailability.Hosting.Commands.CommandText;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>The command <c>kill</c> of a replica. It works without the balancer.</summary>
internal sealed class KillCommand(ProjectResource resource, ClusterOperations operations)
{
    private const string RestartArgument = "restart";

    // For a process that the operating system has been told to end.
    private static readonly TimeSpan _exitTimeout = TimeSpan.FromSeconds(10);

    public static IReadOnlyList<InteractionInput> Arguments =>
    [
        new()
        {
            Name = RestartArgument,
            Label = "Restart",
            Description = "Starts the replica again after a moment. If not, it stays down until you start it.",
            InputType = InputType.Boolean,
            Value = "true",
        },
    ];

    public async Task<ExecuteCommandResult> KillAsync(RunningReplica replica, ExecuteCommandContext context)
    {
        if (replica.ProcessId is not { } pid)
            return CommandResults.Failure($"The process of {replica.Id} is not known yet. Try again in a moment.");

        var restarts = !string.Equals(context.Arguments?.GetString(RestartArgument), "false", StringComparison.OrdinalIgnoreCase);
        if (!restarts)
            context.Services.GetRequiredService<ReplicaRestarter>().StayDown(resource);
        var before = (await operations.TryReportAsync(context.CancellationToken)).FirstOrDefault(known => known.Id == replica.Id);
        using (var process = Process.GetProcessById(pid))
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(context.CancellationToken).WaitAsync(_exitTimeout, context.CancellationToken);
        }

        var others = (await operations.TryReportAsync(context.CancellationToken)).Where(other => other.TakesSessions && other.Id != replica.Id)
            .Select(other => other.Id).ToList();
        var result = new KillResult(replica.Id, before?.ProcessId ?? pid, before?.Sessions ?? 0, before?.Calls ?? 0, others, restarts);
        return Success(
            $"{replica.Id} is dead: process {result.ProcessId} was killed with {Count(result.Sessions, "session")} and {Count(result.Calls, "call")} in " +
                "progress. "
            + $"They continue in {(others.Count > 0 ? string.Join(", ", others) : "the next replica that starts")}; the cluster page shows the take-overs. "
            + (restarts ? $"{resource.Name} restarts in a moment." : $"Start brings {resource.Name} back."),
            result);
    }

    private sealed record KillResult(string Replica, int ProcessId, int Sessions, int Calls, IReadOnlyList<string> ContinueIn, bool Restarts);
}
