using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>Commands of a replica in the dashboard, at the command line (<c>aspire resource server-1 kill</c>), and for coding agents.</summary>
internal static class ReplicaCommands
{
    public static IResourceBuilder<ProjectResource> WithReplicaCommands(this IResourceBuilder<ProjectResource> replica, McpClusterResource cluster)
    {
        var operations = new ClusterOperations(cluster);
        var drain = new DrainCommand(operations);
        var kill = new KillCommand(replica.Resource, operations);
        return replica
            .WithReplicaCommand("drain", "Drain", drain.DrainAsync, new()
            {
                Description = "Moves its sessions to the other replicas, between their calls, and gives it no new ones. It stays up.",
                ConfirmationMessage = "Drain this replica? Its sessions move to the other replicas. Clients do not notice.",
                IconName = "DoorArrowRight",
                Arguments = DrainCommand.Arguments,
                ValidateArguments = DrainCommand.ValidateAsync,
                Progress = new() { Message = "Moving sessions to the other replicas." },
            })
            .WithReplicaCommand("resume", "Resume", drain.ResumeAsync, new()
            {
                Description = "Takes a drained replica back. It takes sessions again.",
                IconName = "ArrowUndo",
            })
            .WithReplicaCommand("kill", "Kill process", kill.KillAsync, new()
            {
                Description = "Ends its process at once, as kill -9 does. Its sessions continue in the other replicas.",
                ConfirmationMessage = "Kill the process of this replica without a warning? Sessions, and calls that may run again, continue in the other " +
                    "replicas.",
                IconName = "HeartBroken",
                Arguments = KillCommand.Arguments,
            });
    }

    private static IResourceBuilder<ProjectResource> WithReplicaCommand(
        this IResourceBuilder<ProjectResource> replica, string name, string displayName,
        Func<RunningReplica, ExecuteCommandContext, Task<ExecuteCommandResult>> execute, CommandOptions options)
    {
        options.UpdateState = static context =>
            context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;
        return replica.WithCommand(
            name,
            displayName,
            async context =>
            {
                if (RunningReplica.Find(context) is not { } target)
                    return CommandResults.Failure($"{replica.Resource.Name} does not run. Start it first.");
                try
                {
                    return await execute(target, context);
                }
                catch (ClusterOperationException e)
                {
                    return CommandResults.Failure(e.Message);
                }
            },
            options);
    }
}
