using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Nodes;
using McpHa.HighAvailability.Authorization;
using McpHa.HighAvailability.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Calls that were in flight in an earlier owner.</summary>
internal sealed partial class LiveSession
{
    /// <summary>Takes up a call of the table that was in flight in an earlier owner: runs it again if it may be, ends it with an error otherwise.</summary>
    public bool Resume(OpenCall call)
    {
        call.Stream.Prime();
        if (RerunPolicy.Allows(call.Request, _runtime.ServerOptions))
        {
            // What the user may do is not written down, for it changes, and the store must not be able to say it. Issuer and subject are enough
            // where nothing asks for more.
            call.AwaitsCaller = User.Length > 0 && PrimitiveAuthorization.IsUsed(_runtime.ServerOptions);
            if (!call.AwaitsCaller)
                RunAgain(call, UserKey.ToPrincipal(User));
            return true;
        }

        _runtime.Metrics.Refused();
        var error = JsonRpc.Error(
            new RequestId(call.Stream.Id),
            JsonRpc.MayHaveRun,
            $"The server that worked on this request was lost. It may have run, wholly or in part, and was not run again because '{Describe(call.Request)}' is not marked as safe to repeat.",
            new JsonObject { ["reason"] = "replica-lost", ["requestId"] = JsonSerializer.SerializeToNode(call.ClientId, McpJsonUtilities.DefaultOptions), ["mayHaveRun"] = true });
        _ = AnswerAsync(call, error);
        return false;
    }

    // In a flow of execution of its own, as whoever came for it is not whose trace it belongs to.
    private void RunAgain(OpenCall? call, ClaimsPrincipal? user)
    {
        if (call is null)
            return;
        _runtime.Metrics.Rerun();
        Dispatch(call, user, null);
    }

    // Under the gate. The call, if it has waited for somebody who asks for it.
    private static OpenCall? StopAwaiting(OpenCall? call)
    {
        if (call is not { AwaitsCaller: true })
            return null;
        call.AwaitsCaller = false;
        return call;
    }

    private static string Describe(JsonRpcRequest request) =>
        request.Method == RequestMethods.ToolsCall ? JsonRpc.TextParam(request.Params, "name") ?? request.Method : request.Method;
}
