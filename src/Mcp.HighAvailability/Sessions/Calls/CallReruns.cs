using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Calls that were in flight in an earlier owner.</summary>
internal sealed partial class CallReruns(LiveSession session)
{
    // A load balancer sends a request that has broken with its owner again at once.
    private static readonly TimeSpan CarefulTime = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = session.Runtime.Logger;
    private readonly long _begun = session.Runtime.Time.GetTimestamp();
    private readonly bool _followsLoss =
        session.Record.Hops is [.., { Reason: TakeOverReasons.OwnerLost } last] && last.Epoch == session.Epoch;

    /// <summary>For a while after an owner was lost, calls are written down before they run: one of them may be what has ended it.</summary>
    public bool IsCareful => _followsLoss && session.Runtime.Time.GetElapsedTime(_begun) < CarefulTime;

    /// <summary>Takes up a call of the table that was in flight in an earlier owner: runs it again if it may be, ends it with an error otherwise.</summary>
    public bool Resume(OpenCall call)
    {
        call.Stream.Prime();
        if (RerunPolicy.Allows(call.Request, session.Activation.Options))
        {
            if (EndIfLostTooOften(call))
                return false;

            // What the user may do is not written down, for it changes, and the store must not be able to say it. Issuer and subject are enough
            // where nothing asks for more.
            var awaitsCaller = session.User.Length > 0 && PrimitiveAuthorization.IsUsed(session.Activation.Options);
            session.Runner.Run((call, awaitsCaller), static (_, s) => s.call.AwaitsCaller = s.awaitsCaller);
            if (!awaitsCaller)
                Run(call, UserKey.ToPrincipal(session.User));
            return true;
        }

        session.Runtime.Metrics.Refused();
        _ = session.Outgoing.AnswerAsync(call, MayHaveRun(
            call,
            $"The server that worked on this request was lost. It may have run, wholly or in part, and was not run again because " +
                $"'{Describe(call.Request)}' is not marked as safe to repeat. Check its effect before you repeat it.",
            new JsonObject { ["reason"] = "replica-lost" }));
        return false;
    }

    /// <summary>Ends a call that has lost too many owners.</summary>
    /// <remarks>The count is durable: the take-over that follows a loss has written it down, before anything runs again.</remarks>
    public bool EndIfLostTooOften(OpenCall call)
    {
        var losses = call.EarlierLosses + session.Record.Hops.LostSince(new SseEventId(call.Stream.Id, 0).Epoch);
        if (losses < session.Runtime.Options.MaxReplicaLosses)
            return false;
        var name = Describe(call.Request);
        session.Runtime.Metrics.Abandoned(name);
        using (session.BeginScope())
            LogAbandoned(session.Id, losses, name);
        _ = session.Outgoing.AnswerAsync(call, MayHaveRun(
            call,
            $"The server was lost {losses} times while it ran '{name}'. The call may have run, wholly or in part, and is not run again. Find out in the " +
                "servers' logs why they ended before you send it again.",
            new JsonObject { ["reason"] = "replicas-lost", ["losses"] = losses }));
        return true;
    }

    /// <summary>Runs a call again. It has its own execution context, because the request that resumes it belongs to another trace.</summary>
    public void Run(OpenCall? call, ClaimsPrincipal? user)
    {
        if (call is null)
            return;
        session.Runtime.Metrics.Rerun();
        session.Dispatch(call, user, null);
    }

    private static JsonRpcError MayHaveRun(OpenCall call, string message, JsonObject data)
    {
        data["requestId"] = JsonSerializer.SerializeToNode(call.ClientId, McpJsonUtilities.ProtocolOptions);
        data["mayHaveRun"] = true;
        return JsonRpc.Error(new RequestId(call.Stream.Id), JsonRpc.MayHaveRun, message, data);
    }

    private static string Describe(JsonRpcRequest request) =>
        request.Method == RequestMethods.ToolsCall ? JsonRpc.TextParam(request.Params, "name") ?? request.Method : request.Method;

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId}: '{Call}' ended with an error and is not run again. Replicas lost while they ran it: {Losses}. Find out in their " +
            "logs why they ended.")]
    private partial void LogAbandoned(string sessionId, int losses, string call);
}
