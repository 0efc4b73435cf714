using System.Diagnostics;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>Every request that is not for the balancer itself goes on to a replica.</summary>
internal sealed class BalancerEndpoint(Relay.Relay relay, RoutingState state, BalancerDrain drain, RequestBodies bodies, CallMeter calls,
    IOptions<BalancerOptions> options)
{
    private const string SessionIdHeader = "Mcp-Session-Id";
    private const string ProtocolVersionHeader = "MCP-Protocol-Version";
    private const string FirstStatelessRevision = "2026-07-28";

    // A client that still sends reads its 413 only after it has sent more.
    private const long MaxBytesDiscarded = 64 * 1024 * 1024;
    private static readonly TimeSpan MaxDiscardTime = TimeSpan.FromSeconds(5);

    private readonly BalancerOptions _options = options.Value;
    private long _relayed;

    /// <summary>How long calls take.</summary>
    public CallMeter Calls => calls;

    /// <summary>Requests that were relayed since the start.</summary>
    public long Relayed => Volatile.Read(ref _relayed);

    /// <summary>Requests that this balancer answered with "may have run".</summary>
    public long MayHaveRun => relay.Metrics.MayHaveRun;

    public async Task HandleAsync(HttpContext context)
    {
        drain.Mark(context);
        var begun = calls.Begin();
        byte[] body;
        BodyOutcome outcome;
        try
        {
            (outcome, body) = await bodies.ReadAsync(context, _options.MaxRequestBodySize);
        }
        catch (IOException unreadable)
        {
            await HttpAnswers.UnreadableAsync(context, unreadable);
            return;
        }

        if (outcome is BodyOutcome.OverBudget)
        {
            await RelayError.BodiesFull(bodies.Budget.Limit, bodies.Budget.Setting).AnswerAsync(context.Response, default);
            return;
        }

        if (outcome is BodyOutcome.TooLarge)
        {
            await RefuseBodyAsync(context);
            return;
        }

        Interlocked.Increment(ref _relayed);
        var request = context.Request;
        var sessionId = request.Headers[SessionIdHeader].ToString() is { Length: > 0 } id ? id : LegacySessionOf(request);
        var stateless = HttpMethods.IsPost(request.Method) && (sessionId is null || IsStateless(request));
        var call = stateless ? StatelessRequest.Read(body) : default;
        if (HttpMethods.IsPost(request.Method) && RequestTrace.Of(context) is { } span)
            Name(span, stateless ? call : StatelessRequest.Read(body));
        var exchange = new RelayExchange
        {
            Method = MethodOf(request.Method),
            PathAndQuery = request.Path.ToUriComponent() + request.QueryString.ToUriComponent(),
            Body = body,
            Repeatable = !stateless || call.OpensSession,
            MayRepeat = stateless ? () => call.MayRepeat(state.Directory.Alive) : null,
            Listens = stateless && call.Listens,
            CallName = call.Name is { Length: > 0 } tool ? tool : call.Method ?? "",
            HoldTime = _options.HoldTime,
        };

        using var route = new BalancerRoute(state, sessionId, body.Length);
        try
        {
            await relay.RelayAsync(context, exchange, route, context.RequestAborted);
        }
        finally
        {
            // Streams that only listen are open for as long as their client likes.
            if (HttpMethods.IsPost(request.Method) && !exchange.Listens)
                calls.End(begun);
        }
    }

    private static void Name(Activity span, StatelessRequest call) => RequestTrace.Name(span, call.Method, call.HasTarget ? call.Name : "");

    // HTTP+SSE (2024-11-05) names the session in the query.
    private static string? LegacySessionOf(HttpRequest request) =>
        HttpMethods.IsPost(request.Method) && request.Path.Value is { } path && path.EndsWith("/message", StringComparison.OrdinalIgnoreCase) &&
        LegacyEndpoint.SessionIdIn(request.QueryString.Value ?? "") is { } named && SessionIds.IsWellFormed(named)
            ? named
            : null;

    // Revisions are dates: later ones are stateless too.
    private static bool IsStateless(HttpRequest request) =>
        string.CompareOrdinal(request.Headers[ProtocolVersionHeader].ToString(), FirstStatelessRevision) >= 0;

    private static HttpMethod MethodOf(string method) =>
        HttpMethods.IsPost(method) ? HttpMethod.Post
        : HttpMethods.IsGet(method) ? HttpMethod.Get
        : HttpMethods.IsDelete(method) ? HttpMethod.Delete
        : new HttpMethod(method);

    private async Task RefuseBodyAsync(HttpContext context)
    {
        await RelayError.RequestTooLarge(_options.MaxRequestBodySize, "Balancer:MaxRequestBodySize").AnswerAsync(context.Response, default);
        await context.Response.CompleteAsync();

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(MaxDiscardTime);
        try
        {
            var buffer = new byte[16 * 1024];
            long discarded = 0;
            int read;
            while (discarded < MaxBytesDiscarded && (read = await context.Request.Body.ReadAsync(buffer, timeout.Token)) > 0)
                discarded += read;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or BadHttpRequestException)
        {
            // It has its answer, or has gone.
        }
    }
}
