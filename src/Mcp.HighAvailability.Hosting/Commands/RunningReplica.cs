using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting.Cluster;
using Microsoft.Extensions.DependencyInjection;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>A replica that runs.</summary>
/// <param name="Id">The id by which the cluster knows it.</param>
/// <param name="ProcessId">Its process, or <see langword="null"/> if it is not known yet.</param>
internal sealed record RunningReplica(string Id, int? ProcessId)
{
    private const string ProcessIdProperty = "executable.pid";

    /// <summary>The replica that a command was called for, or <see langword="null"/> if it does not run.</summary>
    public static RunningReplica? Find(ExecuteCommandContext context)
    {
        var notifications = context.Services.GetRequiredService<ResourceNotificationService>();
        return notifications.TryGetCurrentState(context.ResourceName, out var current)
            && current.Snapshot.State?.Text == KnownResourceStates.Running
            && ReplicaId.Of(current.Snapshot) is { } id
            ? new(id, ProcessIdOf(current.Snapshot))
            : null;
    }

    private static int? ProcessIdOf(CustomResourceSnapshot replica) =>
        replica.Properties.FirstOrDefault(property => property.Name == ProcessIdProperty)?.Value is { } pid
            ? Convert.ToInt32(pid, CultureInfo.InvariantCulture) : null;
}
