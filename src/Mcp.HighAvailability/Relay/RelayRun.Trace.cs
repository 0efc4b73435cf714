using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Relay.Upstream;

namespace Mcp.HighAvailability.Relay;

/// <content>What traces say of an exchange: one span per attempt in the request's trace, and in the session's that it went on elsewhere.</content>
internal sealed partial class RelayRun
{
    private Activity? _attempt; // the span of the attempt that runs
    private int _attempts;
    private RelayFailure? _break; // the first failure since the last answer, while somebody listens
    private DateTimeOffset _brokeAt;

    private void StartAttempt(RelayTarget target, bool resume)
    {
        _attempts++;
        var span = _attempt = HighAvailabilityDiagnostics.Source.StartActivity(SpanNames.Attempt, ActivityKind.Client);
        if (span is not { IsAllDataRequested: true })
            return;

        span.SetTag(AttributeNames.Replica, target.ReplicaId);
        span.SetTag(AttributeNames.Method, (resume ? HttpMethod.Get : exchange.Method).Method);
        span.SetTag(AttributeNames.Url, string.Concat(target.Address.AbsoluteUri.AsSpan().TrimEnd('/'), exchange.PathAndQuery));
        span.SetTag(AttributeNames.ServerAddress, target.Address.Host);
        span.SetTag(AttributeNames.ServerPort, target.Address.Port);
        if (_attempts > 1)
            span.SetTag(AttributeNames.ResendCount, _attempts - 1);
    }

    /// <summary>The response has begun. Streams that only listen stay open for as long as they like; no span is kept open around them.</summary>
    private void TraceResponse(ReplicaCall response)
    {
        if (_attempt is not { } span)
            return;
        var status = response.Status;
        span.SetTag(AttributeNames.StatusCode, status);
        if (status >= 400)
        {
            span.SetTag(AttributeNames.ErrorType, status.ToString(System.Globalization.CultureInfo.InvariantCulture));
            span.SetStatus(ActivityStatusCode.Error);
        }
        else if (Listens)
        {
            EndAttempt(null);
        }
    }

    private void EndAttempt(RelayFailure? failure)
    {
        if (_attempt is not { } span)
            return;
        _attempt = null;
        if (failure is not null)
        {
            span.SetTag(AttributeNames.ErrorType, Text(failure.Kind));
            span.SetStatus(ActivityStatusCode.Error, $"Replica {failure.Target.ReplicaId} did not complete the exchange.");
        }

        span.Dispose();
    }

    private void TraceBreak(RelayFailure failure)
    {
        if (_break is null && SessionTrace.IsOn)
            (_break, _brokeAt) = (failure, DateTimeOffset.UtcNow);
    }

    /// <summary>A replica has answered for the session: says in the session's trace where its requests go now, if that is new.</summary>
    private void TraceSession(ReplicaCall response, RelayTarget target, string? owner, string? newSessionId)
    {
        if (!exchange.ForRelay && !SessionTrace.IsOn)
            return;
        var trace = response.Header(HaHeaders.Trace) ?? "";
        if (exchange.ForRelay && trace.Length > 0 && !context.Response.HasStarted)
            context.Response.Headers[HaHeaders.Trace] = trace;
        if (!SessionTrace.IsOn || (newSessionId ?? context.Request.Headers[RelayHeaders.SessionId].ToString()) is not { Length: > 0 } sessionId)
            return;

        SessionTrace.Mark(context, trace, sessionId);
        if (trace.Length == 0)
            return;
        var replica = owner ?? target.ReplicaId;
        var changes = relay.Routes.Changes(sessionId, replica, out var before);
        var broken = _break is { Kind: RelayFailureKind.Refused or RelayFailureKind.Broken or RelayFailureKind.Lost };
        if (broken || changes)
        {
            using var span = SessionTrace.Start(
                broken ? SpanNames.Resume : SpanNames.Forward, trace, sessionId, started: _break is null ? default : _brokeAt);
            span?.SetTag(AttributeNames.From, _break?.Target.ReplicaId ?? before);
            span?.SetTag(AttributeNames.To, replica);
            if (_break is not null)
                span?.SetTag(AttributeNames.Reason, Text(_break.Kind));
        }

        _break = null;
    }

    private static string Text(RelayFailureKind kind) => kind switch
    {
        RelayFailureKind.Refused => "refused",
        RelayFailureKind.Broken => "broken",
        RelayFailureKind.Lost => "lost",
        RelayFailureKind.NotOwner => "not_owner",
        _ => "unavailable",
    };
}
