using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>
/// The least that hosts the SDK's own transport over HTTP with sessions in memory: what its ASP.NET Core package does for an
/// ordinary request, and no more. What others are measured against, so it must not be slower than that package.
/// </summary>
internal sealed class SdkHost(IOptions<McpServerOptions> options, ILoggerFactory loggers, IServiceProvider services)
{
    private const string SessionHeader = "Mcp-Session-Id";
    private const string VersionHeader = "MCP-Protocol-Version";

    private static readonly string[] Versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

    private static readonly JsonTypeInfo<JsonRpcMessage> MessageInfo =
        (JsonTypeInfo<JsonRpcMessage>)McpJsonUtilities.ProtocolOptions.GetTypeInfo(typeof(JsonRpcMessage));

    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);

    public void Map(IEndpointRouteBuilder endpoints, string path)
    {
        endpoints.MapPost(path, (RequestDelegate)PostAsync);
        endpoints.MapGet(path, (RequestDelegate)GetAsync);
    }

    private async Task PostAsync(HttpContext context)
    {
        var accept = context.Request.GetTypedHeaders().Accept;
        if (!accept.Any(type => type.MatchesMediaType("application/json")) || !accept.Any(type => type.MatchesMediaType("text/event-stream")))
        {
            context.Response.StatusCode = StatusCodes.Status406NotAcceptable;
            return;
        }

        var message = await context.Request.ReadFromJsonAsync(MessageInfo, context.RequestAborted);
        var version = context.Request.Headers[VersionHeader].ToString();
        if (message is null || version.Length > 0 && !Versions.Contains(version))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        if (version.Length > 0)
            (message.Context ??= new()).ProtocolVersion = version;
        if (Find(context, mayOpen: message is JsonRpcRequest { Method: RequestMethods.Initialize }) is not { } session)
            return;

        StartStream(context);
        session.Enter();
        try
        {
            if (!await session.Transport.HandlePostRequestAsync(message, context.Response.Body, onResponseStarting: null, context.RequestAborted))
            {
                context.Response.Headers.ContentType = default;
                context.Response.StatusCode = StatusCodes.Status202Accepted;
            }
        }
        finally
        {
            session.Leave();
        }
    }

    private async Task GetAsync(HttpContext context)
    {
        if (Find(context, mayOpen: false) is not { } session)
            return;
        StartStream(context);
        session.Enter();
        try
        {
            await session.Transport.HandleGetRequestAsync(context.Response.Body, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The usual end of such a stream.
        }
        finally
        {
            session.Leave();
        }
    }

    private Session? Find(HttpContext context, bool mayOpen)
    {
        var id = context.Request.Headers[SessionHeader].ToString();
        Session? session = null;
        if (id.Length == 0 && mayOpen)
            session = Open();
        else if (!_sessions.TryGetValue(id, out session))
            context.Response.StatusCode = id.Length == 0 ? StatusCodes.Status400BadRequest : StatusCodes.Status404NotFound;
        if (session is not null)
            context.Response.Headers[SessionHeader] = session.Transport.SessionId;
        return session;
    }

    private Session Open()
    {
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        var transport = new StreamableHttpServerTransport(loggers) { SessionId = id, FlowExecutionContextFromRequests = true };
        var session = new Session(transport, McpServer.Create(transport, options.Value, loggers, services));
        session.Running = session.Server.RunAsync();
        _sessions[id] = session;
        return session;
    }

    private static void StartStream(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-cache,no-store";
        headers.ContentEncoding = "identity";
        headers["X-Accel-Buffering"] = "no";
        context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
    }

    /// <summary>A session and what its idle time would be counted with.</summary>
    private sealed class Session(StreamableHttpServerTransport transport, McpServer server)
    {
        private readonly Lock _gate = new();
        private int _requests;

        public StreamableHttpServerTransport Transport => transport;

        public McpServer Server => server;

        public Task? Running { get; set; }

        public long LastUsed { get; private set; }

        public void Enter()
        {
            lock (_gate)
            {
                _requests++;
                LastUsed = TimeProvider.System.GetTimestamp();
            }
        }

        public void Leave()
        {
            lock (_gate)
            {
                _requests--;
                LastUsed = TimeProvider.System.GetTimestamp();
            }
        }
    }
}
