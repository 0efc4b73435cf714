using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using static Mcp.HighAvailability.Hosting.Commands.CommandText;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>The command <c>scale</c> of a cluster: starts spare replicas, or drains and stops replicas.</summary>
internal sealed class ScaleCommand(McpClusterResource cluster)
{
    private const string ReplicasArgument = "replicas";

    private static readonly TimeSpan _drainTimeout = TimeSpan.FromSeconds(30);

    private readonly ClusterOperations _operations = new(cluster);

    public static void AddTo(IResourceBuilder<McpClusterResource> cluster)
    {
        var command = new ScaleCommand(cluster.Resource);
        cluster.WithCommand("scale", "Scale", command.ScaleAsync, new()
        {
            Description = "Starts spare replicas, or drains and stops replicas, until so many run. Clients do not notice.",
            IconName = "ArrowAutofitWidth",
            Arguments =
            [
                new()
                {
                    Name = ReplicasArgument,
                    Label = "Replicas",
                    Description = $"1 to {cluster.Resource.Replicas.Count}; the AppHost sets the most with maxReplicas.",
                    InputType = InputType.Number,
                    Required = true,
                },
            ],
            ValidateArguments = command.ValidateAsync,
            Progress = new() { Message = "Starting or draining replicas." },
        });
    }

    private Task ValidateAsync(InputsDialogValidationContext context)
    {
        if (context.Inputs.TryGetByName(ReplicasArgument, out var input) && Parse(input.Value) is null)
            context.AddValidationError(input, $"{ReplicasArgument} is '{input.Value}'; set it to a whole number from 1 to {cluster.Replicas.Count}.");
        return Task.CompletedTask;
    }

    private async Task<ExecuteCommandResult> ScaleAsync(ExecuteCommandContext context)
    {
        if (Parse(context.Arguments?.GetString(ReplicasArgument)) is not { } wanted)
            return CommandResults.Failure($"Set {ReplicasArgument} to a whole number from 1 to {cluster.Replicas.Count}.");

        var notifications = context.Services.GetRequiredService<ResourceNotificationService>();
        var commands = context.Services.GetRequiredService<ResourceCommandService>();
        var up = cluster.Replicas.Where(replica => IsUp(notifications, replica)).ToList();
        var starting = cluster.Replicas.Except(up).Take(Math.Max(0, wanted - up.Count)).Select(replica => replica.Name).ToList();
        var stopping = up.AsEnumerable().Reverse().Take(Math.Max(0, up.Count - wanted)).Select(replica => replica.Name).ToList();
        foreach (var replica in starting)
        {
            var result = await commands.ExecuteCommandAsync(replica, KnownResourceCommands.StartCommand, context.CancellationToken);
            if (!result.Success)
                return CommandResults.Failure($"{replica} did not start: {result.Message}");
        }

        foreach (var replica in stopping)
        {
            await DrainAsync(notifications, replica, context.CancellationToken);
            var result = await commands.ExecuteCommandAsync(replica, KnownResourceCommands.StopCommand, context.CancellationToken);
            if (!result.Success)
                return CommandResults.Failure($"{replica} did not stop: {result.Message}");
        }

        return Success($"{cluster.Name} has {Count(wanted, "replica")}.{List("Started", starting)}{List("Drained and stopped", stopping)}",
            new ScaleResult(wanted, starting, stopping));
    }

    // A stop hands the sessions over as well. The drain gives calls in progress more time.
    private async Task DrainAsync(ResourceNotificationService notifications, string name, CancellationToken cancellationToken)
    {
        if (!notifications.TryGetCurrentState(name, out var now) || Cluster.ReplicaId.Of(now.Snapshot) is not { } id)
            return;
        try
        {
            await _operations.DrainAsync(id, _drainTimeout, cancellationToken);
        }
        catch (ClusterOperationException)
        {
            // Not known to the balancer, or the last one that takes sessions.
        }
    }

    private int? Parse(string? text) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= cluster.Replicas.Count ? count : null;

    private static bool IsUp(ResourceNotificationService notifications, ProjectResource replica) =>
        notifications.TryGetCurrentState(replica.Name, out var now)
        && now.Snapshot.State?.Text is { } state
        && state != KnownResourceStates.NotStarted
        && !KnownResourceStates.TerminalStates.Contains(state);

    private static string List(string what, List<string> replicas) => replicas.Count == 0 ? "" : $" {what}: {string.Join(", ", replicas)}.";

    private sealed record ScaleResult(int Replicas, IReadOnlyList<string> Started, IReadOnlyList<string> Stopped);
}
