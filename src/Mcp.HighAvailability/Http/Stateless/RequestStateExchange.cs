using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Puts the protected form in the place of a handler's own <c>requestState</c> on the way out, and back on the way in.</summary>
internal sealed class RequestStateExchange(RequestStates states)
{
    private const string Member = "requestState";

    /// <summary>The error for a <c>requestState</c> that was not given to this client for this request.</summary>
    public const string Forged =
        "The requestState was not given by this server for this request and user, was changed, or has expired. " +
        "Send it exactly as it was received, or begin anew without it.";

    /// <summary>Puts what the handler gave into the request, in the place of what the client sends. <see langword="false"/>: it must be refused.</summary>
    /// <exception cref="StoreUnavailableException">It cannot be told at this moment.</exception>
    public async ValueTask<bool> TryOpenAsync(JsonRpcRequest request, string user, CancellationToken cancellationToken)
    {
        if (request.Params is not JsonObject parameters || parameters[Member] is not { } sent)
            return true;
        if (sent is not JsonValue value || !value.TryGetValue(out string? text) ||
            await states.OpenAsync(text, Binding(request, user), cancellationToken).ConfigureAwait(false) is not { } state)
        {
            return false;
        }

        parameters[Member] = state;
        return true;
    }

    /// <summary>Protects what the request's handler gives.</summary>
    public McpMessageFilter Protect(JsonRpcRequest request, string user)
    {
        var binding = Binding(request, user);
        return next => async (context, cancellationToken) =>
        {
            if (context.JsonRpcMessage is JsonRpcResponse { Result: JsonObject result } &&
                JsonRpc.TextParam(result, "resultType") == "input_required" && JsonRpc.TextParam(result, Member) is { } state)
            {
                result[Member] = states.Protect(state, binding);
            }

            await next(context, cancellationToken).ConfigureAwait(false);
        };
    }

    /// <summary>Scope of a state: method, tool (or prompt, or resource) and user. Different scopes give different texts.</summary>
    internal static string Binding(JsonRpcRequest request, string user)
    {
        var subject = JsonRpc.TextParam(request.Params, request.Method == RequestMethods.ResourcesRead ? "uri" : "name") ?? "";
        return $"{request.Method}\n{subject.Length}\n{subject}\n{user}";
    }
}
