using McpHa.HighAvailability.Limits;
using McpHa.HighAvailability.Relay;
using McpHa.HighAvailability.Sessions;
using McpHa.HighAvailability.Stateless;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Http;

/// <summary>Requests without a session: any replica serves them, with the SDK's own stateless transport.</summary>
internal sealed partial class StatelessEndpoint(
    IOptionsFactory<McpServerOptions> serverOptions,
    ListenStreams listens,
    RequestStateExchange states,
    StatelessCalls calls,
    KeepAliveClock keepAlive,
    TimeProvider time,
    ILoggerFactory loggerFactory)
{
    public async Task PostAsync(HttpContext context, JsonRpcMessage message, string protocolVersion)
    {
        var id = (message as JsonRpcRequest)?.Id ?? default;
        var user = UserKey.Of(context.User);
        if (!await calls.EnterAsync(context, user, id).ConfigureAwait(false))
            return;
        try
        {
            await PostAsync(context, message, protocolVersion, id, user).ConfigureAwait(false);
        }
        finally
        {
            calls.Exit(user);
        }
    }

    private async Task PostAsync(HttpContext context, JsonRpcMessage message, string protocolVersion, RequestId id, string user)
    {
        var modern = protocolVersion == McpHeaders.Stateless;
        // A server of its own, that lives as long as the request and resolves from the request's services.
        var options = serverOptions.Create(Options.DefaultName);
        options.ScopeRequests = false;
        if (modern && RequestRules.Check(message, context.Request.Headers, options) is { } refusal)
        {
            await HttpAnswers.RefuseAsync(context, refusal, id).ConfigureAwait(false);
            return;
        }

        if (modern && message is JsonRpcRequest request)
        {
            try
            {
                if (await states.OpenAsync(request, user, context.RequestAborted).ConfigureAwait(false) is { } forged)
                {
                    await HttpAnswers.RefuseAsync(context, forged, id).ConfigureAwait(false);
                    return;
                }
            }
            catch (StoreUnavailableException e)
            {
                await HttpAnswers.UnavailableAsync(context, e.Message, id).ConfigureAwait(false);
                return;
            }
            catch (InvalidDataException e)
            {
                LogDamaged(loggerFactory.CreateLogger<StatelessEndpoint>(), e);
                await HttpAnswers.ErrorAsync(context, StatusCodes.Status500InternalServerError, (int)McpErrorCode.InternalError, "The cluster's keys, with which a requestState is read, are damaged. Whoever runs this server finds the reason in its log.", id).ConfigureAwait(false);
                return;
            }

            options.Filters.Message.OutgoingFilters.Add(states.Protect(request, user));
            options.Handlers.SubscriptionsListenHandler ??= (listen, gone) => ListenAsync(context, listen, gone);
        }

        message.Context = new JsonRpcMessageContext
        {
            ProtocolVersion = protocolVersion.Length > 0 ? protocolVersion : null,
            User = context.User.Identity?.IsAuthenticated == true ? context.User : null,
        };
        await ServeAsync(context, message, options, modern, user).ConfigureAwait(false);
    }

    private async Task ServeAsync(HttpContext context, JsonRpcMessage message, McpServerOptions options, bool modern, string user)
    {
        await using var transport = new StreamableHttpServerTransport(loggerFactory) { Stateless = true, FlowExecutionContextFromRequests = true };
        await using var server = McpServer.Create(transport, options, loggerFactory, context.RequestServices);
        using var stop = new CancellationTokenSource();
        var running = server.RunAsync(stop.Token);

        var body = new KeepAliveBody(context, time);
        CallScope.Current = new StatelessCall(user, ClientExchange.Of(context).Id);
        try
        {
            var headers = context.Response.Headers;
            headers.ContentType = "text/event-stream";
            headers.CacheControl = "no-cache,no-store";
            headers.ContentEncoding = "identity";
            headers["X-Accel-Buffering"] = "no";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            if (message is JsonRpcRequest)
                keepAlive.Add(body); // other messages have no answer to wait for
            var wrote = await transport.HandlePostRequestAsync(
                message,
                body,
                modern ? first => ChooseStatus(context, first) : null,
                context.RequestAborted).ConfigureAwait(false);
            if (!wrote && !context.Response.HasStarted)
            {
                headers.ContentType = default;
                headers.ContentEncoding = default;
                context.Response.StatusCode = StatusCodes.Status202Accepted;
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // In this revision a client that goes away cancels its request.
        }
        finally
        {
            keepAlive.Remove(body);
            await body.EndAsync().ConfigureAwait(false);
            CallScope.Current = null;
            await stop.CancelAsync().ConfigureAwait(false);
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask<EmptyResult> ListenAsync(HttpContext context, RequestContext<SubscriptionsListenRequestParams> listen, CancellationToken gone)
    {
        var relayed = context.Request.Headers.ContainsKey(HaHeaders.Relay);
        await listens.ServeAsync(listen, again: relayed && context.Request.Headers.ContainsKey(HaHeaders.Again), gone).ConfigureAwait(false);

        // A relay goes on elsewhere after a break; a client would take an answer for the end, and it is meant to.
        if (relayed)
        {
            context.Abort();
            await Task.Delay(Timeout.Infinite, gone).ConfigureAwait(false);
        }

        return new EmptyResult();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A requestState cannot be read.")]
    private static partial void LogDamaged(ILogger logger, Exception exception);

    // Some JSON-RPC errors have an HTTP status of their own (revision 2026-07-28, transports).
    private static ValueTask ChooseStatus(HttpContext context, JsonRpcMessage? first)
    {
        if (first is JsonRpcError { Error: var error } && !context.Response.HasStarted)
        {
            context.Response.StatusCode = (McpErrorCode)error.Code switch
            {
                McpErrorCode.MethodNotFound => StatusCodes.Status404NotFound,
                McpErrorCode.HeaderMismatch or McpErrorCode.MissingRequiredClientCapability or McpErrorCode.UnsupportedProtocolVersion
                    => StatusCodes.Status400BadRequest,
                _ => context.Response.StatusCode,
            };
        }

        return ValueTask.CompletedTask;
    }
}
