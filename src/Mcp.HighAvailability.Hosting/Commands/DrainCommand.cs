using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using static Mcp.HighAvailability.Hosting.Commands.CommandText;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>The commands <c>drain</c> and <c>resume</c> of a replica.</summary>
internal sealed class DrainCommand(ClusterOperations operations)
{
    private const string Timeout = "timeout";
    private const int DefaultTimeout = 30;
    private const int MaxTimeout = 600;

    public static IReadOnlyList<InteractionInput> Arguments =>
    [
        new()
        {
            Name = Timeout,
            Label = "Timeout in seconds",
            Description = $"How long the command waits until the replica is empty, 0 to {MaxTimeout}. The drain goes on afterwards.",
            InputType = InputType.Number,
            Value = DefaultTimeout.ToString(null as IFormatProvider),
        },
    ];

    public static Task ValidateAsync(InputsDialogValidationContext context)
    {
        if (context.Inputs.TryGetByName(Timeout, out var input) && !string.IsNullOrEmpty(input.Value) &&
            (!int.TryParse(input.Value, out var seconds) || seconds is < 0 or > MaxTimeout))
            context.AddValidationError(input, $"{Timeout} is '{input.Value}'; set it to a whole number from 0 to {MaxTimeout}.");
        return Task.CompletedTask;
    }

    public async Task<ExecuteCommandResult> DrainAsync(RunningReplica replica, ExecuteCommandContext context)
    {
        var timeout = TimeSpan.FromSeconds(context.Arguments?.GetString(Timeout) is { Length: > 0 } text && int.TryParse(text, out var given) ? given
            : DefaultTimeout);
        var started = Stopwatch.GetTimestamp();
        var before = await operations.FindAsync(replica.Id, context.CancellationToken);
        var after = await operations.DrainAsync(replica.Id, timeout, context.CancellationToken);
        var seconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 1);
        var moved = Math.Max(0, (before?.Sessions ?? 0) - after.Sessions);
        var result = new DrainResult(replica.Id, after.IsEmpty, moved, after.Sessions, after.Calls, seconds);
        return after.IsEmpty
            ? Success($"{replica.Id} is drained. {Count(moved, "session")} moved to other replicas in {seconds:0.0} s. Resume takes it back.", result)
            : Success($"{replica.Id} drains. {Count(after.Sessions, "session")} left; {Count(after.Calls, "call")} in progress finish first. The cluster " +
                "page shows the rest.", result);
    }

    public async Task<ExecuteCommandResult> ResumeAsync(RunningReplica replica, ExecuteCommandContext context)
    {
        await operations.ResumeAsync(replica.Id, context.CancellationToken);
        return Success($"{replica.Id} takes sessions again.", new ResumeResult(replica.Id));
    }

    private sealed record DrainResult(string Replica, bool Drained, int MovedSessions, int Sessions, int Calls, double Seconds);

    private sealed record ResumeResult(string Replica);
}
