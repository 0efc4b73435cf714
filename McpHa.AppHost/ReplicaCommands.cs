using System.Diagnostics;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.AppHost;

/// <summary>What one can do to a replica from the dashboard, or with <c>aspire resource server-1 kill</c>.</summary>
internal static class ReplicaCommands
{
    // For a process that the operating system has been told to end.
    private static readonly TimeSpan _death = TimeSpan.FromSeconds(10);

    public static IResourceBuilder<ProjectResource> WithReplicaCommands(
        this IResourceBuilder<ProjectResource> replica, IResourceBuilder<ProjectResource> balancer, IResourceBuilder<ParameterResource> operationsKey)
    {
        var cluster = new ClusterOperations(balancer.GetEndpoint("http"), operationsKey.Resource);
        return replica
            .WithReplicaCommand("drain", "Drain", "DoorArrowRight", context => DrainAsync(context, cluster),
                "Hands its sessions over to the other replicas, between their calls, and gives it no new ones. It stays up.",
                "Drain this replica? Its sessions move to the other replicas. No client notices.")
            .WithReplicaCommand("resume", "Resume", "ArrowUndo", context => ResumeAsync(context, cluster),
                "Takes a drained replica back: it takes sessions again.")
            .WithReplicaCommand("kill", "Kill, and see it survive", "HeartBroken", context => KillAsync(context, cluster),
                "Ends its process at once, as kill -9 does. Its sessions go on elsewhere.",
                "Kill this replica's process, without a warning to it? Sessions and calls that may be run again go on in the other replicas.");
    }

    private static IResourceBuilder<ProjectResource> WithReplicaCommand(
        this IResourceBuilder<ProjectResource> replica, string name, string displayName, string icon,
        Func<Replica, Task<ExecuteCommandResult>> execute, string description, string? confirmation = null) =>
        replica.WithCommand(
            name,
            displayName,
            async context =>
            {
                if (Replica.Find(context) is not { } target)
                    return CommandResults.Failure($"{replica.Resource.Name} does not run. Start it first.");
                try
                {
                    return await execute(target);
                }
                catch (ClusterOperationException e)
                {
                    return CommandResults.Failure(e.Message);
                }
            },
            new()
            {
                Description = description,
                ConfirmationMessage = confirmation,
                IconName = icon,
                UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
            });

    private static async Task<ExecuteCommandResult> DrainAsync(Replica replica, ClusterOperations cluster)
    {
        var started = Stopwatch.GetTimestamp();
        var before = await cluster.FindAsync(replica.Id, replica.CancellationToken);
        var after = await cluster.DrainAsync(replica.Id, replica.CancellationToken);
        return after is { Sessions: 0, Calls: 0 }
            ? CommandResults.Success($"{replica.Id} is drained: {Say(before?.Sessions ?? 0, "session")} moved to other replicas in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s. Resume takes it back.")
            : CommandResults.Success($"{replica.Id} drains: {Say(after.Sessions, "session")} left, with {Say(after.Calls, "call")} that finish first. The cluster page shows how it goes on.");
    }

    private static async Task<ExecuteCommandResult> ResumeAsync(Replica replica, ClusterOperations cluster)
    {
        await cluster.ResumeAsync(replica.Id, replica.CancellationToken);
        return CommandResults.Success($"{replica.Id} takes sessions again.");
    }

    // Needs nobody's consent: a balancer that does not answer keeps nobody from killing a replica.
    private static async Task<ExecuteCommandResult> KillAsync(Replica replica, ClusterOperations cluster)
    {
        if (replica.ProcessId is not { } pid)
            return CommandResults.Failure($"The process of {replica.Id} is not known yet. Try again in a moment.");

        var before = await cluster.TryFindAsync(replica.Id, replica.CancellationToken);
        using (var process = Process.GetProcessById(pid))
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(replica.CancellationToken).WaitAsync(_death, replica.CancellationToken);
        }

        var left = await cluster.TryReportAsync(replica.CancellationToken);
        return CommandResults.Success(
            $"{replica.Id} is dead: process {before?.ProcessId ?? pid} was killed with {Say(before?.Sessions ?? 0, "session")} and {Say(before?.Calls ?? 0, "call")} in work. " +
            $"They go on in {string.Join(", ", left.Where(other => other.State == "alive" && other.Id != replica.Id).Select(other => other.Id).DefaultIfEmpty("the next replica that starts"))}; " +
            "the cluster page shows the take-overs. Start brings the replica back.");
    }

    private static string Say(int count, string what) => count == 1 ? $"one {what}" : $"{count} {what}s";

    /// <summary>A replica that runs.</summary>
    private sealed record Replica(string Id, int? ProcessId, CancellationToken CancellationToken)
    {
        public static Replica? Find(ExecuteCommandContext context)
        {
            var notifications = context.Services.GetRequiredService<ResourceNotificationService>();
            if (!notifications.TryGetCurrentState(context.ResourceName, out var current) || current.Snapshot.State?.Text != KnownResourceStates.Running)
                return null;

            var pid = current.Snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value;
            return Replicas.IdOf(current.Snapshot) is { } id
                ? new(id, pid is null ? null : Convert.ToInt32(pid, null), context.CancellationToken)
                : null;
        }
    }
}
