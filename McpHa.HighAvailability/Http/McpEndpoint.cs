using System.Text.Json;
using System.Text.Json.Nodes;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Relay;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using PeerRelay = McpHa.HighAvailability.Relay.Relay;

namespace McpHa.HighAvailability.Http;

/// <summary>Streamable HTTP on one endpoint, for every revision: decides what a request is, and who serves it.</summary>
internal sealed class McpEndpoint(
    SessionHost host,
    SelfReplica self,
    PeerRelay relay,
    StatelessEndpoint stateless,
    KeepAliveClock keepAlive,
    SessionMetrics metrics,
    TimeProvider time,
    IOptions<HighAvailabilityOptions> options)
{
    private const string Json = "application/json";
    private const string EventStream = "text/event-stream";

    private readonly HighAvailabilityOptions _options = options.Value;

    public async Task PostAsync(HttpContext context)
    {
        var request = context.Request;
        if (!Accepts(request, Json) || !Accepts(request, EventStream))
        {
            await HttpAnswers.NotAcceptableAsync(context, $"{Json} and {EventStream}").ConfigureAwait(false);
            return;
        }

        var body = await RequestBody.ReadAsync(request, _options.MaxRequestBodySize, context.RequestAborted).ConfigureAwait(false);
        if (body is null)
        {
            await HttpAnswers.TooLargeAsync(context, _options.MaxRequestBodySize).ConfigureAwait(false);
            return;
        }

        if (!TryParse(body, out var message, out var problem))
        {
            await HttpAnswers.BadRequestAsync(context, problem, (int)McpErrorCode.InvalidRequest).ConfigureAwait(false);
            return;
        }

        var id = (message as JsonRpcRequest)?.Id ?? default;
        var version = request.Headers[McpHeaders.ProtocolVersion].ToString();
        if (version.Length > 0 && !McpHeaders.IsKnown(version) ||
            version == McpHeaders.Stateless && _options.SessionMode == SessionMode.Stateful)
        {
            await HttpAnswers.UnsupportedVersionAsync(context, version, SupportedVersions, id).ConfigureAwait(false);
            return;
        }

        var sessionId = request.Headers[McpHeaders.SessionId].ToString();
        if (version == McpHeaders.Stateless || _options.SessionMode == SessionMode.Stateless)
            await StatelessAsync(context, message, version, sessionId, id).ConfigureAwait(false);
        else if (sessionId.Length > 0)
            await WithSessionAsync(context, sessionId, body, id, session => PostAsync(context, session, message, body)).ConfigureAwait(false);
        else if (message is JsonRpcRequest { Method: RequestMethods.Initialize } initialize)
            await InitializeAsync(context, initialize, body).ConfigureAwait(false);
        else
            await HttpAnswers.BadRequestAsync(context, "This request needs a session: open one with 'initialize' and send the Mcp-Session-Id that it returns.", id: id).ConfigureAwait(false);
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
            await HttpAnswers.BadRequestAsync(context, "The Last-Event-ID was not given by this server. Send the id of the last event exactly as it was received, or leave the header out to open a new stream.").ConfigureAwait(false);
            return;
        }

        await WithSessionAsync(context, sessionId, default, default, session => lastEventId.Length > 0
            ? ResumeAsync(context, session, after)
            : OpenGetAsync(context, session)).ConfigureAwait(false);
    }

    public async Task DeleteAsync(HttpContext context)
    {
        if (!await CheckSessionMethodAsync(context, "DELETE").ConfigureAwait(false))
            return;
        var sessionId = context.Request.Headers[McpHeaders.SessionId].ToString();
        await WithSessionAsync(
            context, sessionId, default, default, session => session.EndAsync("deleted by the client", context.RequestAborted)).ConfigureAwait(false);
    }

    private IEnumerable<string> SupportedVersions => _options.SessionMode == SessionMode.Stateful
        ? McpHeaders.WithSessions
        : [.. McpHeaders.WithSessions, McpHeaders.Stateless];

    private static bool Accepts(HttpRequest request, string type)
    {
        foreach (var value in request.Headers.Accept)
        {
            if (value is not null && value.Contains(type, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return request.GetTypedHeaders().Accept.Any(a => a.MatchesMediaType(type));
    }

    private static bool TryParse(byte[] body, out JsonRpcMessage message, out string problem)
    {
        message = null!;
        problem = "Bad Request: the body is not a JSON-RPC message.";
        try
        {
            message = JsonRpc.Parse(body);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            if (body.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
                problem = "Bad Request: batches are not supported; send one JSON-RPC message per POST.";
            return false;
        }
    }

    private Task StatelessAsync(HttpContext context, JsonRpcMessage message, string version, string sessionId, RequestId id)
    {
        if (sessionId.Length > 0 && _options.SessionMode == SessionMode.Stateless)
            return HttpAnswers.BadRequestAsync(context, "This server keeps no sessions; leave the Mcp-Session-Id header out.", id: id);
        if (version == McpHeaders.Stateless && message is JsonRpcRequest request && !HasClientCapabilities(request))
        {
            return HttpAnswers.BadRequestAsync(
                context, "Requests of revision 2026-07-28 must carry '_meta/io.modelcontextprotocol/clientCapabilities' as an object.", (int)McpErrorCode.InvalidParams, id);
        }

        return stateless.PostAsync(context, message, version);
    }

    private static bool HasClientCapabilities(JsonRpcRequest request) =>
        request.Params is JsonObject parameters && parameters["_meta"] is JsonObject meta && meta["io.modelcontextprotocol/clientCapabilities"] is JsonObject;

    private async Task InitializeAsync(HttpContext context, JsonRpcRequest initialize, byte[] body)
    {
        var id = initialize.Id;
        if (host.Draining && host.Successor(context.TraceIdentifier) is { } other)
        {
            await RelayAsync(context, null, body, other).ConfigureAwait(false);
            return;
        }

        try
        {
            var (session, answer) = await host.OpenAsync(initialize, body, UserKey.Of(context.User), context.RequestAborted).ConfigureAwait(false);
            if (session is not null)
                Identify(context, session.Id);
            await HttpAnswers.WriteAsync(context, StatusCodes.Status200OK, answer).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            await HttpAnswers.UnavailableAsync(context, e.Message, id).ConfigureAwait(false);
        }
    }

    // Answers a request of a session, here or through its owner. The handler says false when the session has moved before a byte was sent.
    private async Task WithSessionAsync(HttpContext context, string sessionId, ReadOnlyMemory<byte> body, RequestId id, Func<LiveSession, Task<bool>> serve)
    {
        if (sessionId.Length == 0)
        {
            await HttpAnswers.BadRequestAsync(context, "The Mcp-Session-Id header is missing.", id: id).ConfigureAwait(false);
            return;
        }

        var hop = context.Request.Headers[HaHeaders.Hop].ToString();
        if (hop.Length > 0 && hop != self.Id)
        {
            await HttpAnswers.NotOwnerAsync(context, null).ConfigureAwait(false);
            return;
        }

        var started = time.GetTimestamp();
        while (!context.RequestAborted.IsCancellationRequested)
        {
            var ownership = Affinity.SessionIds.IsWellFormed(sessionId)
                ? await host.FindAsync(sessionId, context.RequestAborted).ConfigureAwait(false)
                : new Ownership.None();
            switch (ownership)
            {
                case Ownership.Local { Session: var session }:
                    if (session.User.Length > 0 && session.User != UserKey.Of(context.User))
                    {
                        await HttpAnswers.ForbiddenAsync(context, id).ConfigureAwait(false);
                        return;
                    }

                    Identify(context, session.Id);
                    if (await ServeAsync(context, session, serve).ConfigureAwait(false) is not { } away)
                        return;
                    if (away.Length > 0 && !await HoldAsync(context, started, away, id).ConfigureAwait(false))
                        return;
                    break;
                case Ownership.Damaged { Reason: var damage }:
                    await HttpAnswers.ErrorAsync(context, StatusCodes.Status500InternalServerError, (int)McpErrorCode.InternalError, damage, id).ConfigureAwait(false);
                    return;
                case Ownership.Peer { Replica: var owner } when hop.Length > 0: // one hop at most
                    await HttpAnswers.NotOwnerAsync(context, owner.Id).ConfigureAwait(false);
                    return;
                case Ownership.Peer { Replica: var owner }:
                    await RelayAsync(context, sessionId, body, owner).ConfigureAwait(false);
                    return;
                case Ownership.None:
                    await HttpAnswers.SessionNotFoundAsync(context, id).ConfigureAwait(false);
                    return;
                case Ownership.Undecided { Reason: var reason }:
                    if (!await HoldAsync(context, started, reason, id).ConfigureAwait(false))
                        return;
                    break;
            }
        }
    }

    // A relay asks elsewhere meanwhile; a client would take a refusal for final, so its request is held. False: refused.
    private async ValueTask<bool> HoldAsync(HttpContext context, long started, string reason, RequestId id)
    {
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay) || time.GetElapsedTime(started) > _options.HoldTime)
        {
            await HttpAnswers.UnavailableAsync(context, reason, id).ConfigureAwait(false);
            return false;
        }

        await Task.Delay(TimeSpan.FromMilliseconds(50), time, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return true;
    }

    // A store that goes away under a request is no answer: what has begun is cut, so that the client resumes; the rest is tried again.
    // Null: served; otherwise why the store is away, or empty when the session has moved.
    private static async Task<string?> ServeAsync(HttpContext context, LiveSession session, Func<LiveSession, Task<bool>> serve)
    {
        try
        {
            return await serve(session).ConfigureAwait(false) ? null : "";
        }
        catch (StoreUnavailableException) when (context.Response.HasStarted)
        {
            context.Abort();
            return null;
        }
        catch (StoreUnavailableException e)
        {
            return e.Message;
        }
    }

    private async Task<bool> PostAsync(HttpContext context, LiveSession session, JsonRpcMessage message, byte[] body)
    {
        if (message is JsonRpcRequest request)
        {
            return await session.AdmitAsync(request, body, Authenticated(context)).ConfigureAwait(false) is { } reader &&
                await Pump(context, session, reader).AnswerAsync(request.Id).ConfigureAwait(false);
        }

        if (!await session.AcceptAsync(message, body).ConfigureAwait(false))
            return false;
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return true;
    }

    private Task<bool> OpenGetAsync(HttpContext context, LiveSession session) =>
        session.OpenGet() is { } reader ? Pump(context, session, reader).StreamAsync(0) : Task.FromResult(false);

    private async Task<bool> ResumeAsync(HttpContext context, LiveSession session, SseEventId after)
    {
        switch (await session.ResumeAsync(after, context.RequestAborted).ConfigureAwait(false))
        {
            case Resumption.Reading reading:
                return await Pump(context, session, reading.Reader).StreamAsync(after.Position).ConfigureAwait(false);
            case Resumption.NothingLeft:
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return true;
            case Resumption.Trimmed:
                await HttpAnswers.BadRequestAsync(context, "The events after this Last-Event-ID are no longer kept, so the stream cannot be resumed without a gap. Repeat the request, or open a new GET stream.", JsonRpc.HistoryTrimmed).ConfigureAwait(false);
                return true;
            case Resumption.Unknown:
                await HttpAnswers.BadRequestAsync(context, "The Last-Event-ID does not belong to this session. Send the id of the last event exactly as it was received, or leave the header out to open a new stream.").ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    private StreamPump Pump(HttpContext context, LiveSession session, StreamSubscription reader) => new(context, session, reader, keepAlive, metrics);

    private Task RelayAsync(HttpContext context, string? sessionId, ReadOnlyMemory<byte> body, ReplicaInfo peer)
    {
        metrics.Forwarded();
        var exchange = new RelayExchange
        {
            Method = HttpMethod.Parse(context.Request.Method),
            PathAndQuery = context.Request.PathBase + context.Request.Path + context.Request.QueryString,
            Body = body,
            Repeatable = true,
            HoldTime = _options.HoldTime,
            ForRelay = context.Request.Headers.ContainsKey(HaHeaders.Relay),
        };
        return relay.RelayAsync(context, exchange, new PeerRoute(host, self, time, sessionId, peer, context), context.RequestAborted);
    }

    private void Identify(HttpContext context, string sessionId)
    {
        context.Response.Headers[McpHeaders.SessionId] = sessionId;
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay))
            context.Response.Headers[HaHeaders.Owner] = self.Id;
    }

    private async ValueTask<bool> CheckSessionMethodAsync(HttpContext context, string method)
    {
        var version = context.Request.Headers[McpHeaders.ProtocolVersion].ToString();
        if (version == McpHeaders.Stateless || _options.SessionMode == SessionMode.Stateless)
        {
            await HttpAnswers.MethodNotAllowedAsync(context, $"{method} belongs to sessions, and there is none here: revision 2026-07-28 and stateless servers use POST alone.").ConfigureAwait(false);
            return false;
        }

        if (version.Length > 0 && !McpHeaders.IsKnown(version))
        {
            await HttpAnswers.UnsupportedVersionAsync(context, version, SupportedVersions).ConfigureAwait(false);
            return false;
        }

        return true;
    }

    private static System.Security.Claims.ClaimsPrincipal? Authenticated(HttpContext context) =>
        context.User.Identity?.IsAuthenticated == true ? context.User : null;
}
