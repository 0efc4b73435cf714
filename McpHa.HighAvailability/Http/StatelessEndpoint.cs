using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Http;

/// <summary>Requests without a session: any replica serves them, with the SDK's own stateless transport.</summary>
internal sealed class StatelessEndpoint(IOptionsFactory<McpServerOptions> serverOptions, ILoggerFactory loggerFactory)
{
    public async Task PostAsync(HttpContext context, JsonRpcMessage message, string protocolVersion)
    {
        message.Context = new JsonRpcMessageContext
        {
            ProtocolVersion = protocolVersion.Length > 0 ? protocolVersion : null,
            User = context.User.Identity?.IsAuthenticated == true ? context.User : null,
        };

        // A server of its own, that lives as long as the request and resolves from the request's services.
        var options = serverOptions.Create(Options.DefaultName);
        options.ScopeRequests = false;
        await using var transport = new StreamableHttpServerTransport(loggerFactory) { Stateless = true, FlowExecutionContextFromRequests = true };
        await using var server = McpServer.Create(transport, options, loggerFactory, context.RequestServices);
        using var stop = new CancellationTokenSource();
        var running = server.RunAsync(stop.Token);

        CallScope.Current = new StatelessCall(UserKey.Of(context.User));
        try
        {
            var headers = context.Response.Headers;
            headers.ContentType = "text/event-stream";
            headers.CacheControl = "no-cache,no-store";
            headers.ContentEncoding = "identity";
            headers["X-Accel-Buffering"] = "no";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            var wrote = await transport.HandlePostRequestAsync(
                message,
                context.Response.Body,
                protocolVersion == McpHeaders.Stateless ? first => ChooseStatus(context, first) : null,
                context.RequestAborted).ConfigureAwait(false);
            if (!wrote)
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
            CallScope.Current = null;
            await stop.CancelAsync().ConfigureAwait(false);
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

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
