using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>Tools that show which replica works, and that a long call survives it.</summary>
[McpServerToolType]
public static class ReplicaTools
{
    [McpServerTool(Name = "echo", Title = "Echo", ReadOnly = true, OpenWorld = false)]
    [Description("Returns the text that it is given.")]
    public static string Echo([Description("The text to return.")] string text) => text;

    [McpServerTool(Name = "where_am_i", Title = "Where am I?", ReadOnly = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Says which replica answers, for which session, and how many owners the session has had (epoch).")]
    public static Whereabouts WhereAmI(IReplicaContext context) =>
        new(context.ReplicaId, context.Epoch, Environment.ProcessId) { Session = context.SessionId };

    // Nothing but time passes here, so another replica may start over: the client sees every step once all the same.
    [Rerun(true)]
    [McpServerTool(Name = "countdown", Title = "Countdown", OpenWorld = false)]
    [Description("Counts down for the given time, reports progress once per interval and returns \"liftoff\".")]
    public static async Task<string> Countdown(
        IProgress<ProgressNotificationValue> progress,
        CancellationToken cancellationToken,
        [Description("How long to count, in seconds: 0 to 3600.")] double seconds = 5,
        [Description("Time between two progress notifications, in milliseconds: 10 or more.")] int intervalMs = 1000)
    {
        Require.Between(seconds, 0, 3600, nameof(seconds));
        Require.Between(intervalMs, 10, 3_600_000, nameof(intervalMs));

        var steps = (int)Math.Ceiling(seconds * 1000 / intervalMs);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(intervalMs));
        for (var step = 1; step <= steps; step++)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            progress.Report(new() { Progress = step, Total = steps, Message = $"T minus {steps - step}" });
        }

        return "liftoff";
    }
}

/// <summary>Where a call was answered.</summary>
public sealed record Whereabouts(
    [property: Description("Id of the replica that answers.")] string Replica,
    [property: Description("How many owners the session has had; 0 without a session.")] long Epoch,
    [property: Description("Process id of the replica.")] int ProcessId)
{
    // A property that may be null is left out then, so it must not be one that the output schema requires.
    [Description("Id of the session; left out for a client without one.")]
    public string? Session { get; init; }
}
