using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Authorization;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Journal;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Calls that were in flight in an earlier owner.</summary>
internal sealed partial class LiveSession
{
    // A load balancer sends a request that has broken with its owner again at once.
    private static readonly TimeSpan CarefulTime = TimeSpan.FromSeconds(5);

    // For a while after an owner was lost, calls are written down before they run: one of them may be what has ended it.
    private bool IsCareful => _followsLoss && _runtime.Time.GetElapsedTime(_begun) < CarefulTime;

    /// <summary>Takes up a call of the table that was in flight in an earlier owner: runs it again if it may be, ends it with an error otherwise.</summary>
    public bool Resume(OpenCall call)
    {
        call.Stream.Prime();
        if (RerunPolicy.Allows(call.Request, _runtime.ServerOptions))
        {
            if (EndIfLostTooOften(call))
                return false;

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
            new JsonObject { ["reason"] = "replica-lost", ["requestId"] = JsonSerializer.SerializeToNode(call.ClientId, McpJsonUtilities.ProtocolOptions), ["mayHaveRun"] = true });
        _ = AnswerAsync(call, error);
        return false;
    }

    // The count is durable: the take-over that follows a loss has written it down, before anything runs again.
    private bool EndIfLostTooOften(OpenCall call)
    {
        var losses = call.EarlierLosses + _record.Hops.LostSince(new SseEventId(call.Stream.Id, 0).Epoch);
        if (losses < _runtime.Options.MaxReplicaLosses)
            return false;
        var name = Describe(call.Request);
        _runtime.Metrics.Abandoned(name);
        using (BeginScope())
            LogAbandoned(Id, losses, name);
        var error = JsonRpc.Error(
            new RequestId(call.Stream.Id),
            JsonRpc.MayHaveRun,
            $"The server was lost {losses} times while it ran '{name}'. The call may have run, wholly or in part, and is not run again. Find out in the servers' logs why they ended before you send it again.",
            new JsonObject { ["reason"] = "replicas-lost", ["losses"] = losses, ["requestId"] = JsonSerializer.SerializeToNode(call.ClientId, McpJsonUtilities.ProtocolOptions), ["mayHaveRun"] = true });
        _ = AnswerAsync(call, error);
        return true;
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: {Losses} servers were lost while they ran '{Call}'. The call has ended with an error and is not run again.")]
    private partial void LogAbandoned(string sessionId, int losses, string call);

    private static string Describe(JsonRpcRequest request) =>
        request.Method == RequestMethods.ToolsCall ? JsonRpc.TextParam(request.Params, "name") ?? request.Method : request.Method;
}
