using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>
/// The one trace that a session has: short spans from every process that has to do with it, all children of <see cref="SpanNames.Create"/>, whose
/// id is kept in the session's record. Requests stay in traces of their own; both sides link to each other.
/// </summary>
/// <remarks>Invariant: without a listener, or when the session was not sampled, nothing here allocates.</remarks>
internal static class SessionTrace
{
    /// <summary>Whether the library's spans have a listener.</summary>
    public static bool IsOn => HighAvailabilityDiagnostics.Source.HasListeners();

    /// <summary>Begins the trace of a new session, linked to the request that opens it, which stays in its client's trace.</summary>
    public static Activity? Create()
    {
        if (!IsOn)
            return null;
        var request = Activity.Current;
        var links = LinksTo(Sampled(request));
        Activity.Current = null;
        var span = HighAvailabilityDiagnostics.Source.StartActivity(SpanNames.Create, ActivityKind.Internal, parentContext: default, links: links);
        Activity.Current = span ?? request;
        return span;
    }

    /// <summary>Begins a span of a session's trace, linked to what caused it; <see langword="null"/> when that trace is not recorded.</summary>
    /// <param name="name">One of <see cref="SpanNames"/>.</param>
    /// <param name="traceParent">The session's, as its record has it.</param>
    /// <param name="sessionId">The session.</param>
    /// <param name="cause">The request that caused it; by default the current one.</param>
    /// <param name="started">When it began; by default now.</param>
    public static Activity? Start(string name, string traceParent, string sessionId, ActivityContext? cause = null, DateTimeOffset started = default)
    {
        if (!IsOn || !TryRead(traceParent, out var session))
            return null;
        var span = HighAvailabilityDiagnostics.Source.StartActivity(
            name, ActivityKind.Internal, session, links: LinksTo(cause ?? Sampled(Activity.Current)), startTime: started);
        span?.SetTag(AttributeNames.SessionId, sessionId);
        return span;
    }

    /// <summary>Puts the reason of a span on its attributes and into its name: <c>take over (owner lost)</c>.</summary>
    public static void Explain(Activity? span, string reason)
    {
        if (span is null || reason.Length == 0)
            return;
        span.SetTag(AttributeNames.Reason, reason);
        span.DisplayName = $"{span.OperationName} ({reason.Replace('-', ' ').Replace('_', ' ')})";
    }

    /// <summary>Cause of a span that is made later on another thread.</summary>
    public static ActivityContext Cause => IsOn ? Sampled(Activity.Current) : default;

    /// <summary>Names the session on the request's span, and links it to the session's trace.</summary>
    public static void Mark(HttpContext context, string traceParent, string sessionId, string? replica = null, long epoch = 0)
    {
        if (!IsOn || context.Features.Get<IHttpActivityFeature>()?.Activity is not { IsAllDataRequested: true } request)
            return;
        request.SetTag(AttributeNames.SessionId, sessionId);
        if (replica is not null)
        {
            request.SetTag(AttributeNames.Replica, replica);
            request.SetTag(AttributeNames.Epoch, epoch);
        }

        // Once, however many rounds the request takes.
        if (TryRead(traceParent, out var session) && !IsLinked(request, session))
            request.AddLink(new ActivityLink(session));
    }

    /// <summary>Whether a session's trace is recorded, so that others have to know of it.</summary>
    public static bool IsRecorded(string traceParent) => traceParent.EndsWith("-01", StringComparison.Ordinal) && IsOn;

    /// <summary>Reads the trace of a session; <see langword="false"/> when there is none, or it was not sampled.</summary>
    private static bool TryRead(string traceParent, out ActivityContext session)
    {
        session = default;
        return traceParent.Length > 0 && ActivityContext.TryParse(traceParent, null, isRemote: true, out session) &&
            session.TraceFlags.HasFlag(ActivityTraceFlags.Recorded);
    }

    private static bool IsLinked(Activity request, ActivityContext session)
    {
        foreach (ref readonly var link in request.EnumerateLinks())
        {
            if (link.Context.TraceId == session.TraceId)
                return true;
        }

        return false;
    }

    private static ActivityContext Sampled(Activity? request) => request is { Recorded: true } ? request.Context : default;

    private static IEnumerable<ActivityLink>? LinksTo(ActivityContext cause) => cause == default ? null : [new ActivityLink(cause)];
}
