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

/// <summary>HTTP+SSE, the transport of revision 2024-11-05: one stream that carries everything to the client, and POSTs that are answered there.</summary>
/// <remarks>
/// Its clients cannot resume. A relay can: with the id of the session in <c>Mcp-Session-Id</c>, as the first event names it, and of the last event in
/// <c>Last-Event-ID</c>. Clients that come back by themselves (a browser's <c>EventSource</c>) know no session, and are told to stop.
/// </remarks>
internal sealed class LegacySseEndpoint(
    SessionHost host,
    SessionGate sessions,
    SessionLimits limits,
    RequestBodies bodies,
    McpEndpoint endpoint,
    UnheardSessions unheard,
    KeepAliveClock keepAlive,
    SessionMetrics metrics,
    TimeProvider time,
    IOptions<HighAvailabilityOptions> options)
{
    /// <summary>What a session may use of later revisions on the wire: nothing, whatever its client and the server agree on.</summary>
    private const string Revision = "2024-11-05";

    /// <summary>Path of the stream, below the endpoint's.</summary>
    public const string StreamPath = "/sse";

    /// <summary>Path that messages are posted to, below the endpoint's.</summary>
    public const string MessagePath = "/message";

    /// <summary>Query parameter that names the session.</summary>
    public const string SessionParameter = "sessionId";

    public async Task GetAsync(HttpContext context)
    {
        if (!McpEndpoint.Accepts(context.Request, McpEndpoint.EventStream))
        {
            await HttpAnswers.NotAcceptableAsync(context, McpEndpoint.EventStream).ConfigureAwait(false);
            return;
        }

        var sessionId = context.Request.Headers[McpHeaders.SessionId].ToString();
        var lastEventId = context.Request.Headers[McpHeaders.LastEventId].ToString();
        if (lastEventId.Length == 0)
            await OpenAsync(context).ConfigureAwait(false);
        else if (sessionId.Length == 0)
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        else if (!SseEventId.TryParse(lastEventId, out var after) || after.Stream != GetStreams.OnlyStream)
            await HttpAnswers.BadRequestAsync(context, "The Last-Event-ID was not given by this stream.").ConfigureAwait(false);
        else
            await sessions.ServeAsync(context, sessionId, default, default, session => ResumeAsync(context, session, after), legacy: true)
                .ConfigureAwait(false);
    }

    public async Task PostAsync(HttpContext context)
    {
        var sessionId = context.Request.Query[SessionParameter].ToString();
        if (sessionId.Length == 0)
        {
            await HttpAnswers.BadRequestAsync(context, $"The query parameter '{SessionParameter}' is missing: open a stream with GET, and post to the " +
                "address that its event 'endpoint' names.").ConfigureAwait(false);
            return;
        }

        if (await MessageBody.ReadAsync(context, bodies, options.Value.MaxRequestBodySize).ConfigureAwait(false) is not { } bytes ||
            await MessageBody.ParseAsync(context, bytes).ConfigureAwait(false) is not { Message: var message } parsed ||
            await MessageBody.CheckParametersAsync(context, message, parsed.Body, Revision, answers: false)
                .ConfigureAwait(false) is not { } body)
        {
            return;
        }

        var id = (message as JsonRpcRequest)?.Id ?? default;
        await sessions.ServeAsync(context, sessionId, body, id, session => AcceptAsync(context, session, message, body), legacy: true).ConfigureAwait(false);
    }

    private async Task OpenAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        while (!context.RequestAborted.IsCancellationRequested)
        {
            if (host.Draining && host.Successor(context.TraceIdentifier) is { } other)
            {
                await sessions.PassOnAsync(context, null, default, other).ConfigureAwait(false);
                return;
            }

            try
            {
                var user = UserKey.Of(context.User);
                if (await limits.RefuseSessionAsync(context, user, default).ConfigureAwait(false))
                    return;
                var session = await host.OpenWithOneStreamAsync(SessionOpening.Of(context), user, Revision, context.RequestAborted).ConfigureAwait(false);
                using var reading = unheard.Read(session);
                if (session.Runner.Run(StreamSteps.OpenOnly) is not { } reader)
                    continue;
                sessions.Identify(context, session, legacy: true);
                await new StreamPump(context, session, reader, keepAlive, metrics) { Greeting = MessageAddress(context, session) }.StreamAsync(0)
                    .ConfigureAwait(false);
                return;
            }
            catch (StoreUnavailableException e)
            {
                if (!await sessions.HoldAsync(context, started, e.Message, default).ConfigureAwait(false))
                    return;
            }
        }
    }

    private async Task<bool> ResumeAsync(HttpContext context, LiveSession session, SseEventId after)
    {
        using var reading = unheard.Read(session);
        return await endpoint.ResumeAsync(context, session, after).ConfigureAwait(false);
    }

    private async Task<bool> AcceptAsync(HttpContext context, LiveSession session, JsonRpcMessage message, byte[] body)
    {
        if (message is JsonRpcRequest request)
        {
            // Clients that can do both fall back to a session.
            if (RequestRules.VersionOf(message) == McpHeaders.Stateless)
            {
                await HttpAnswers.UnsupportedVersionAsync(context, McpHeaders.Stateless, McpHeaders.WithSessions, request.Id).ConfigureAwait(false);
                return true;
            }

            if (await limits.RefuseCallAsync(context, session, request, body.Length).ConfigureAwait(false))
                return true;
            if (await session.AdmitAsync(request, body, ClientExchange.Of(context), McpEndpoint.Authenticated(context)).ConfigureAwait(false) is not { } reader)
                return false;
            LiveSession.Detach(reader); // answered on the session's stream
        }
        else if (!await session.AcceptAsync(message, body, ClientExchange.Of(context).Id, McpEndpoint.Authenticated(context)).ConfigureAwait(false))
        {
            return false;
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.ContentType = "text/plain";
        await context.Response.WriteAsync("Accepted").ConfigureAwait(false);
        return true;
    }

    private static string MessageAddress(HttpContext context, LiveSession session)
    {
        var path = context.Request.Path.Value!;
        var prefix = new PathString(path[..path.LastIndexOf(StreamPath, StringComparison.OrdinalIgnoreCase)]);
        return $"{context.Request.PathBase.Add(prefix).ToUriComponent()}{MessagePath}?{SessionParameter}={session.Id}";
    }
}
