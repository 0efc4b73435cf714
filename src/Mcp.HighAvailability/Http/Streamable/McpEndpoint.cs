using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Streamable HTTP on one endpoint, for every revision: checks requests, tells them apart, and has them served.</summary>
internal sealed class McpEndpoint(
    SessionHost host,
    SessionGate sessions,
    StatelessEndpoint stateless,
    SessionLimits limits,
    RequestBodies bodies,
    KeepAliveClock keepAlive,
    SessionMetrics metrics,
    TimeProvider time,
    IOptions<HighAvailabilityOptions> options)
{
    private const string Json = "application/json";
    public const string EventStream = "text/event-stream";

    /// <summary>The error for <c>initialize</c> in a session that has begun.</summary>
    public const string InitializedTwice = "This session has been initialized. To begin another session, send 'initialize' without the Mcp-Session-Id header.";

    private readonly HighAvailabilityOptions _options = options.Value;

    public async Task PostAsync(HttpContext context)
    {
        var request = context.Request;
        if (!Accepts(request, Json) || !Accepts(request, EventStream))
        {
            await HttpAnswers.NotAcceptableAsync(context, $"{Json} and {EventStream}").ConfigureAwait(false);
            return;
        }

        if (await MessageBody.ReadAsync(context, bodies, _options.MaxRequestBodySize).ConfigureAwait(false) is not { } bytes ||
            await MessageBody.ParseAsync(context, bytes).ConfigureAwait(false) is not { } parsed)
        {
            return;
        }

        var message = parsed.Message;
        RequestTrace.Name(context, message);
        var id = (message as JsonRpcRequest)?.Id ?? default;
        var version = request.Headers[McpHeaders.ProtocolVersion].ToString();
        // Within a session its own revision counts.
        var sessionId = request.Headers[McpHeaders.SessionId].ToString();
        var free = sessionId.Length == 0 || version == McpHeaders.Stateless;
        if (free && MessageMembers.Problem(message, levels: 3) is { } duplicate)
        {
            await HttpAnswers.BadRequestAsync(context, duplicate, (int)McpErrorCode.InvalidRequest, id).ConfigureAwait(false);
            return;
        }

        // 'initialize' negotiates its revision, so an unknown revision in its header is passed over. 2026-07-28 has no 'initialize'.
        if (message is JsonRpcRequest { Method: RequestMethods.Initialize } && version != McpHeaders.Stateless && RequestRules.VersionOf(message).Length == 0)
            version = McpHeaders.IsKnown(version) ? version : "";
        if (version.Length > 0 && !McpHeaders.IsKnown(version) ||
            version == McpHeaders.Stateless && _options.SessionMode == SessionMode.Stateful)
        {
            await HttpAnswers.UnsupportedVersionAsync(context, version, free ? SupportedBy(message) : SupportedVersions, id).ConfigureAwait(false);
            return;
        }

        if (free && RequestRules.FindMissingVersion(message, version) is { } problem)
        {
            await HttpAnswers.BadRequestAsync(context, problem, (int)McpErrorCode.HeaderMismatch, id).ConfigureAwait(false);
            return;
        }

        // The SDK's transport refuses a method that the revision does not have, for that reason.
        var body = version == McpHeaders.Stateless && !RequestRules.IsServed(message)
            ? parsed.Body
            : await MessageBody.CheckParametersAsync(context, message, parsed.Body, version).ConfigureAwait(false);
        if (body is null)
            return;
        if (version == McpHeaders.Stateless || _options.SessionMode == SessionMode.Stateless)
            await stateless.PostAsync(context, message, version).ConfigureAwait(false);
        else if (sessionId.Length > 0)
            await sessions.ServeAsync(context, sessionId, body, id, session => PostAsync(context, session, message, body)).ConfigureAwait(false);
        else if (message is JsonRpcRequest { Method: RequestMethods.Initialize } initialize)
            await InitializeAsync(context, initialize, body).ConfigureAwait(false);
        else if (IsServedWithoutSession(message))
            await stateless.PostAsync(context, message, version).ConfigureAwait(false);
        else
            await HttpAnswers.BadRequestAsync(context, "This request needs a session: open one with 'initialize' and send the Mcp-Session-Id that it returns.",
                id: id).ConfigureAwait(false);
    }

    public async Task GetAsync(HttpContext context)
    {
        if (!await CheckSessionMethodAsync(context, "GET").ConfigureAwait(false))
            return;
        if (!Accepts(context.Request, EventStream))
        {
            await HttpAnswers.NotAcceptableAsync(context, EventStream).ConfigureAwait(false);
            return;
        }

        var sessionId = context.Request.Headers[McpHeaders.SessionId].ToString();
        var lastEventId = context.Request.Headers[McpHeaders.LastEventId].ToString();
        SseEventId after = default;
        if (lastEventId.Length > 0 && !SseEventId.TryParse(lastEventId, out after))
        {
            await HttpAnswers.BadRequestAsync(context, "The Last-Event-ID was not given by this server. Send the id of the last event exactly as it was " +
                "received, or leave the header out to open a new stream.").ConfigureAwait(false);
            return;
        }

        await sessions.ServeAsync(context, sessionId, default, default, session => lastEventId.Length > 0
            ? ResumeAsync(context, session, after)
            : OpenGetAsync(context, session)).ConfigureAwait(false);
    }

    public async Task DeleteAsync(HttpContext context)
    {
        if (!await CheckSessionMethodAsync(context, "DELETE").ConfigureAwait(false))
            return;
        var sessionId = context.Request.Headers[McpHeaders.SessionId].ToString();
        await sessions.ServeAsync(
            context, sessionId, default, default, session => session.EndAsync("deleted by the client", context.RequestAborted)).ConfigureAwait(false);
    }

    // Who names its revision in the body knows of no session, and is told what 'server/discover' would tell it.
    private IEnumerable<string> SupportedBy(JsonRpcMessage message) =>
        _options.SessionMode != SessionMode.Stateful && RequestRules.VersionOf(message).Length > 0 ? [McpHeaders.Stateless] : SupportedVersions;

    private IEnumerable<string> SupportedVersions => _options.SessionMode == SessionMode.Stateful
        ? McpHeaders.WithSessions
        : [.. McpHeaders.WithSessions, McpHeaders.Stateless];

    // Some clients open a session and never send its id. Methods that change a session, and answers to a server request, have no meaning without one.
    private bool IsServedWithoutSession(JsonRpcMessage message) => _options is { SessionlessRequests: true, SessionMode: SessionMode.Hybrid } && message switch
    {
        JsonRpcRequest request => request.Method is not (
            RequestMethods.LoggingSetLevel or RequestMethods.ResourcesSubscribe or RequestMethods.ResourcesUnsubscribe),
        JsonRpcNotification => true,
        _ => false,
    };

    public static bool Accepts(HttpRequest request, string type)
    {
        foreach (var value in request.Headers.Accept)
        {
            if (value is not null && value.Contains(type, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return request.GetTypedHeaders().Accept.Any(a => a.MatchesMediaType(type));
    }

    private async Task InitializeAsync(HttpContext context, JsonRpcRequest initialize, byte[] body)
    {
        var id = initialize.Id;
        var started = time.GetTimestamp();
        while (!context.RequestAborted.IsCancellationRequested)
        {
            if (host.Draining && host.Successor(context.TraceIdentifier) is { } other)
            {
                await sessions.PassOnAsync(context, null, body, other).ConfigureAwait(false);
                return;
            }

            try
            {
                var user = UserKey.Of(context.User);
                if (await limits.RefuseSessionAsync(context, user, id).ConfigureAwait(false) || await limits.RefuseInitializeAsync(context, initialize)
                    .ConfigureAwait(false))
                    return;
                initialize.Id = id;
                var (session, answer) = await host.OpenAsync(initialize, SessionOpening.Of(context), user, context.RequestAborted).ConfigureAwait(false);
                if (session is not null)
                    sessions.Identify(context, session);
                await HttpAnswers.WriteAsync(context, StatusCodes.Status200OK, answer).ConfigureAwait(false);
                return;
            }
            catch (StoreUnavailableException e)
            {
                if (!await sessions.HoldAsync(context, started, e.Message, id).ConfigureAwait(false))
                    return;
            }
        }
    }

    private async Task<bool> PostAsync(HttpContext context, LiveSession session, JsonRpcMessage message, byte[] body)
    {
        if (message is JsonRpcRequest request)
        {
            if (request.Method == RequestMethods.Initialize)
            {
                await HttpAnswers.BadRequestAsync(context, InitializedTwice, (int)McpErrorCode.InvalidRequest, request.Id).ConfigureAwait(false);
                return true;
            }

            if (await limits.RefuseCallAsync(context, session, request, body.Length).ConfigureAwait(false))
                return true;
            return await session.AdmitAsync(request, body, ClientExchange.Of(context), Authenticated(context)).ConfigureAwait(false) is { } reader &&
                await Pump(context, session, reader).AnswerAsync(request.Id).ConfigureAwait(false);
        }

        if (!await session.AcceptAsync(message, body, ClientExchange.Of(context).Id, Authenticated(context)).ConfigureAwait(false))
            return false;
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return true;
    }

    private async Task<bool> OpenGetAsync(HttpContext context, LiveSession session) =>
        await limits.RefuseStreamAsync(context, session).ConfigureAwait(false) ||
        session.OpenGet() is { } reader &&
        await Pump(context, session, reader).StreamAsync(0).ConfigureAwait(false);

    /// <summary>Goes on with a stream behind an event. <see langword="false"/>: nothing was sent, the session has moved.</summary>
    public async Task<bool> ResumeAsync(HttpContext context, LiveSession session, SseEventId after)
    {
        if (await limits.RefuseStreamAsync(context, session).ConfigureAwait(false))
            return true;
        switch (await host.ResumeAsync(session, after, Authenticated(context), context.RequestAborted).ConfigureAwait(false))
        {
            case Resumption.Reading reading:
                session.TraceResume(after.Stream);
                return await Pump(context, session, reading.Reader).StreamAsync(after.Position).ConfigureAwait(false);
            case Resumption.NothingLeft:
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return true;
            case Resumption.Trimmed:
                await HttpAnswers.BadRequestAsync(context, "The events after this Last-Event-ID are no longer kept, so the stream cannot be resumed " +
                    "without a gap. Repeat the request, or open a new GET stream.", JsonRpc.HistoryTrimmed).ConfigureAwait(false);
                return true;
            case Resumption.Unknown:
                await HttpAnswers.BadRequestAsync(context, "The Last-Event-ID does not belong to this session. Send the id of the last event exactly as " +
                    "it was received, or leave the header out to open a new stream.").ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    private StreamPump Pump(HttpContext context, LiveSession session, StreamSubscription reader) => new(context, session, reader, keepAlive, metrics);

    private async ValueTask<bool> CheckSessionMethodAsync(HttpContext context, string method)
    {
        var version = context.Request.Headers[McpHeaders.ProtocolVersion].ToString();
        if (version == McpHeaders.Stateless || _options.SessionMode == SessionMode.Stateless)
        {
            await HttpAnswers.MethodNotAllowedAsync(
                context,
                $"{method} needs a session. Revision 2026-07-28 and stateless servers have no sessions: send the request with POST.").ConfigureAwait(false);
            return false;
        }

        if (version.Length > 0 && !McpHeaders.IsKnown(version))
        {
            await HttpAnswers.UnsupportedVersionAsync(context, version, SupportedVersions).ConfigureAwait(false);
            return false;
        }

        return true;
    }

    /// <summary>User of a request; <see langword="null"/> when anonymous.</summary>
    public static System.Security.Claims.ClaimsPrincipal? Authenticated(HttpContext context) =>
        context.User.Identity?.IsAuthenticated == true ? context.User : null;
}
