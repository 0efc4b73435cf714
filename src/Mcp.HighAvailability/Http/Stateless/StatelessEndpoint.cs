using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Requests without a session: any replica serves them, with the SDK's own stateless transport.</summary>
internal sealed partial class StatelessEndpoint(
    StatelessTransport transport,
    IOptions<McpServerOptions> serverOptions,
    ListenStreams listens,
    TaskListening taskListening,
    RequestStateExchange states,
    StatelessCalls calls,
    KeepAliveClock keepAlive,
    TimeProvider time,
    ILogger<StatelessEndpoint> logger)
{
    public async Task PostAsync(HttpContext context, JsonRpcMessage message, string version)
    {
        var id = (message as JsonRpcRequest)?.Id ?? default;
        var user = UserKey.Of(context.User);
        if (!await calls.EnterAsync(context, user, id).ConfigureAwait(false))
            return;
        try
        {
            if (version != McpHeaders.Stateless)
                await ServeAsync(context, message, user, static _ => { }).ConfigureAwait(false);
            else if (RequestRules.FindWrongName(message, serverOptions.Value) is { } problem)
                await HttpAnswers.BadRequestAsync(context, problem, (int)McpErrorCode.InvalidParams, id).ConfigureAwait(false);
            else if (message is not JsonRpcRequest request)
                await ServeAsync(context, message, user, static _ => { }).ConfigureAwait(false);
            else if (await OpenStateAsync(context, request, user).ConfigureAwait(false))
                await ServeAsync(context, request, user, server => Prepare(server, context, request, user)).ConfigureAwait(false);
        }
        finally
        {
            calls.Exit(user);
        }
    }

    // False: the request was refused.
    private async ValueTask<bool> OpenStateAsync(HttpContext context, JsonRpcRequest request, string user)
    {
        try
        {
            if (await states.TryOpenAsync(request, user, context.RequestAborted).ConfigureAwait(false))
                return true;
            await HttpAnswers.BadRequestAsync(context, RequestStateExchange.Forged, (int)McpErrorCode.InvalidParams, request.Id).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            await HttpAnswers.UnavailableAsync(context, e.Message, request.Id).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            LogDamaged(logger, e);
            await HttpAnswers.ErrorAsync(
                context, StatusCodes.Status500InternalServerError, (int)McpErrorCode.InternalError,
                "The cluster's keys, with which a requestState is read, are damaged. The server's log has the reason.", request.Id).ConfigureAwait(false);
        }

        return false;
    }

    private void Prepare(McpServerOptions server, HttpContext context, JsonRpcRequest request, string user)
    {
        server.Filters.Message.OutgoingFilters.Add(states.Protect(request, user));
        server.Handlers.SubscriptionsListenHandler ??= (listen, gone) => ListenAsync(context, listen, gone);
    }

    private async Task ServeAsync(HttpContext context, JsonRpcMessage message, string user, Action<McpServerOptions> prepare)
    {
        // The header counts for nothing here, and the SDK would refuse one that is unknown or differs from 'params.protocolVersion'.
        if (message is JsonRpcRequest { Method: RequestMethods.Initialize } && context.Request.Headers[McpHeaders.ProtocolVersion] != McpHeaders.Stateless)
            context.Request.Headers.Remove(McpHeaders.ProtocolVersion);

        var response = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var keptAlive = new KeepAliveBody(context, time);
        context.Features.Set<IHttpResponseBodyFeature>(new EventBody(keptAlive, response, message is JsonRpcRequest ? keepAlive : null));
        CallScope.Current = new StatelessCall(user, ClientExchange.Of(context).Id);
        try
        {
            await transport.ServeAsync(context, message, prepare).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // In this revision a client that goes away cancels its request.
        }
        finally
        {
            keepAlive.Remove(keptAlive);
            await keptAlive.EndAsync().ConfigureAwait(false);
            CallScope.Current = null;
            context.Features.Set(response);
        }
    }

    private async ValueTask<EmptyResult> ListenAsync(HttpContext context, RequestContext<SubscriptionsListenRequestParams> listen, CancellationToken gone)
    {
        var relayed = context.Request.Headers.ContainsKey(HaHeaders.Relay);
        using var tasks = await taskListening.OpenAsync(listen.JsonRpcRequest, gone).ConfigureAwait(false);
        await listens.ServeAsync(listen, again: relayed && context.Request.Headers.ContainsKey(HaHeaders.Again), tasks, gone).ConfigureAwait(false);

        // A relay retries elsewhere after a break. A direct client gets the answer as the end of its stream.
        if (relayed)
        {
            context.Abort();
            await Task.Delay(Timeout.Infinite, gone).ConfigureAwait(false);
        }

        return new EmptyResult();
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "A requestState cannot be read: the data protection keys in the store are damaged. Restore them, or remove the damaged entry.")]
    private static partial void LogDamaged(ILogger logger, Exception exception);

    /// <summary>The response body. Keep-alive comments begin when the SDK has set the headers of an event stream; an error as JSON has none.</summary>
    private sealed class EventBody(KeepAliveBody body, IHttpResponseBodyFeature inner, KeepAliveClock? keepAlive) : StreamResponseBodyFeature(body, inner)
    {
        // The SDK's last step before it serves.
        public override void DisableBuffering()
        {
            base.DisableBuffering();
            keepAlive?.Add(body);
        }
    }
}
