using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The one trace that a task has: a span for its creation, and one for each replica that works on it.</summary>
internal static class TaskTrace
{
    /// <summary>The status of a run that did not end its task: cancelled, taken over, or given up.</summary>
    public const string Lost = "lost";

    private const string CreateName = "task create";
    private const string RunName = "task run";
    private const string TaskId = "mcp.ha.task.id";
    private const string Status = "mcp.ha.task.status";

    /// <summary>Begins the trace of a task, linked to the request that creates it. Returns its <c>traceparent</c>; empty: not recorded.</summary>
    public static string Create(string taskId)
    {
        if (!HighAvailabilityDiagnostics.Source.HasListeners())
            return "";
        var request = Activity.Current;
        IEnumerable<ActivityLink>? links = request is { Recorded: true } ? [new ActivityLink(request.Context)] : null;
        Activity.Current = null;
        using var span = HighAvailabilityDiagnostics.Source.StartActivity(CreateName, ActivityKind.Internal, parentContext: default, links: links);
        span?.SetTag(TaskId, taskId);
        Activity.Current = request;
        return span is { Recorded: true, Id: { } id } ? id : "";
    }

    /// <summary>Begins the span of a run. It is the current one of what starts meanwhile.</summary>
    public static Activity? Run(string traceParent, string taskId, string replica, long epoch)
    {
        if (traceParent.Length == 0 || !ActivityContext.TryParse(traceParent, null, isRemote: true, out var task))
            return null;
        var span = HighAvailabilityDiagnostics.Source.StartActivity(RunName, ActivityKind.Internal, task);
        span?.SetTag(TaskId, taskId).SetTag(AttributeNames.Replica, replica).SetTag(AttributeNames.Epoch, epoch);
        return span;
    }

    /// <summary>Notes how a run ended.</summary>
    public static void End(Activity? span, string status)
    {
        span?.SetTag(Status, status);
        span?.Dispose();
    }
}
