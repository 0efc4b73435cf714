using System.Diagnostics;
using System.Globalization;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>Spans of an exchange: one per attempt in the request's trace, and one in the session's when it continued at another replica.</summary>
internal sealed class RelayTrace(Relay relay, HttpContext context, RelayExchange exchange)
{
    private Activity? _attempt; // the span of the attempt that runs
    private Activity? _failed; // the span of the attempt before, until it is known whether another one follows
    private RelayFailureKind _failedAs;
    private int _attempts;
    private int _status;
    private RelayFailure? _break; // the first failure since the last answer, while traces are recorded
    private DateTimeOffset _brokeAt;

    /// <summary><c>traceparent</c> of the attempt; <see langword="null"/>: the client's own is passed on.</summary>
    public string? TraceParent => _attempt?.Id;

    public void Begin(RelayTarget target, HttpMethod method)
    {
        EndFailed(failedOver: true);
        _attempts++;
        _status = 0;
        var span = _attempt = HighAvailabilityDiagnostics.Source.StartActivity(SpanNames.Attempt, ActivityKind.Client);
        if (span is not { IsAllDataRequested: true })
            return;
        span.SetTag(AttributeNames.Replica, target.ReplicaId);
        span.SetTag(AttributeNames.Method, method.Method);
        span.SetTag(AttributeNames.Url, string.Concat(target.Address.AbsoluteUri.AsSpan().TrimEnd('/'), exchange.PathAndQuery));
        span.SetTag(AttributeNames.ServerAddress, target.Address.Host);
        span.SetTag(AttributeNames.ServerPort, target.Address.Port);
        if (_attempts > 1)
            span.SetTag(AttributeNames.ResendCount, _attempts - 1);
    }

    /// <summary>The response has begun. No span is kept open around streams that only listen.</summary>
    public void Answered(int status, bool listens)
    {
        _status = status;
        _attempt?.SetTag(AttributeNames.StatusCode, status);
        if (status < 400 && listens)
            End(null);
    }

    /// <summary>The attempt is over. One that failed is an error only if no other attempt follows.</summary>
    public void End(RelayFailure? failure)
    {
        if (failure is not null && _break is null && SessionTrace.IsOn)
            (_break, _brokeAt) = (failure, DateTimeOffset.UtcNow);
        if (_attempt is not { } span)
            return;
        _attempt = null;
        if (failure is not null)
        {
            span.SetEndTime(DateTime.UtcNow);
            (_failed, _failedAs) = (span, failure.Kind);
            return;
        }

        if (_status >= 400)
        {
            span.SetTag(AttributeNames.ErrorType, _status.ToString(CultureInfo.InvariantCulture));
            span.SetStatus(ActivityStatusCode.Error);
        }

        span.Dispose();
    }

    /// <summary>The exchange is over.</summary>
    /// <param name="error">The error of the relay that the client got, if it got one.</param>
    /// <param name="goesOn">The request is served in this process, or the relay that asked tries again.</param>
    public void Finish(RelayError? error, bool goesOn)
    {
        End(null);
        EndFailed(failedOver: goesOn);
        if (error is not null)
            RequestTrace.Failed(context, error.Message);
    }

    private void EndFailed(bool failedOver)
    {
        if (_failed is not { } span)
            return;
        _failed = null;
        var reason = Text(_failedAs);
        if (failedOver)
        {
            span.SetTag(AttributeNames.FailedOver, true);
            span.SetTag(AttributeNames.Reason, reason);
            span.DisplayName = $"{SpanNames.Attempt} (failed over: {reason.Replace('_', ' ')})";
        }
        else
        {
            span.SetTag(AttributeNames.ErrorType, reason);
            span.SetStatus(ActivityStatusCode.Error, "The replica did not complete the request, and no other replica did.");
        }

        span.Dispose();
    }

    /// <summary>A replica has answered for the session: says in the session's trace where its requests go now, if that is new.</summary>
    public void Session(ReplicaCall response, RelayTarget target, string? owner, string? newSessionId)
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
                SessionTrace.Explain(span, Text(_break.Kind));
        }

        _break = null;
    }

    /// <summary>A kind of failure, as metrics and traces name it.</summary>
    public static string Text(RelayFailureKind kind) => kind switch
    {
        RelayFailureKind.Refused => "refused",
        RelayFailureKind.Broken => "broken",
        RelayFailureKind.Lost => "lost",
        RelayFailureKind.NotOwner => "not_owner",
        _ => "unavailable",
    };
}
