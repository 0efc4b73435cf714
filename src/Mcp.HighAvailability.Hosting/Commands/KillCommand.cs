using System.ComponentModel;
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
        var before = (await operations.TryReportAsync(context.CancellationToken)).FirstOrDefault(known => known.Id == replica.Id);
        if (Find(pid) is not { } process)
            return CommandResults.Failure($"Process {pid} of {replica.Id} has ended already.");
        using (process)
        {
            if (await EndAsync(process, restarts ? null : context.Services.GetRequiredService<ReplicaRestarter>(), context.CancellationToken) is { } error)
                return CommandResults.Failure($"Process {pid} of {replica.Id} {error}");
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

    private static Process? Find(int processId)
    {
        try
        {
            return Process.GetProcessById(processId);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    // Returns what went wrong. The restarter, if any, has to know before the process ends that the replica stays down, and again if it does not end.
    private async Task<string?> EndAsync(Process process, ReplicaRestarter? restarter, CancellationToken cancellationToken)
    {
        restarter?.StayDown(resource);
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is Win32Exception or AggregateException or InvalidOperationException)
        {
            restarter?.CancelStayDown(resource);
            return $"was not killed: {e.Message}";
        }

        try
        {
            await process.WaitForExitAsync(cancellationToken).WaitAsync(_exitTimeout, cancellationToken);
            return null;
        }
        catch (TimeoutException)
        {
            // It ends later, and by this kill.
            return $"was killed, but still exists after {_exitTimeout.TotalSeconds:0} s. Its sessions continue when the other replicas miss its heartbeats.";
        }
    }

    private sealed record KillResult(string Replica, int ProcessId, int Sessions, int Calls, IReadOnlyList<string> ContinueIn, bool Restarts);
}
