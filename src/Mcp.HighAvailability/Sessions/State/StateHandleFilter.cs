using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Commits what a tool call did to state behind handles, before its result goes out.</summary>
/// <remarks>
/// Invariant: a call is applied to a handle at most once. Its result is kept with the handle, so a run after a crash between this
/// commit and the session's own finds it and answers the same. A call that uses several handles commits them one after the other:
/// each exactly once, not all at the same instant.
/// </remarks>
internal sealed class StateHandleFilter(HeldStateHandles store)
{
    private const int MaxAttempts = 20;

    private static readonly JsonTypeInfo<CallToolResult> ResultInfo = JsonRpc.TypeInfo<CallToolResult>();

    public McpRequestHandler<CallToolRequestParams, CallToolResult> Wrap(McpRequestHandler<CallToolRequestParams, CallToolResult> next) =>
        async (request, cancellationToken) =>
        {
            for (var attempt = 1; ; attempt++)
            {
                var result = await next(request, cancellationToken).ConfigureAwait(false);
                if (CallScope.Current is not { Handles.Count: > 0 } call || result.IsError == true)
                    return result;

                var (conflict, answered) = await CommitAsync(call, result, cancellationToken).ConfigureAwait(false);
                if (!conflict)
                    return answered;
                if (attempt == MaxAttempts || request.MatchedPrimitive is not McpServerTool tool || !RerunPolicy.Allows(tool))
                    throw new McpException("Another call changed the same state at the same time. This call changed nothing. Call again.");
                call.ForgetState();
                await Task.Delay(Random.Shared.Next(1, 5 * attempt), cancellationToken).ConfigureAwait(false);
            }
        };

    private async ValueTask<(bool Conflict, CallToolResult Result)> CommitAsync(CallScope call, CallToolResult result, CancellationToken cancellationToken)
    {
        foreach (var handle in call.Handles)
        {
            if (handle.Writes.Count == 0)
                continue;
            var response = JsonSerializer.SerializeToUtf8Bytes(result, ResultInfo);
            switch (await store.CommitAsync(handle, call.CallId, response, cancellationToken).ConfigureAwait(false))
            {
                case StateHandleCommit.Conflict:
                    return (true, result);
                case StateHandleCommit.Unknown:
                    throw new McpException("The state handle expired during the call. The call changed nothing. Leave the argument out to get a new one.");
                case StateHandleCommit.AlreadyApplied before:
                    result = JsonSerializer.Deserialize(before.Response.Span, ResultInfo) ?? result;
                    break;
            }
        }

        return (false, result);
    }
}
