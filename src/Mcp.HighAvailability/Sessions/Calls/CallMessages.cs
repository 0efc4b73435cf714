using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Messages of a handler to its client: server requests, notifications and the answer. Each is sent once, also after a rerun.</summary>
internal sealed class CallMessages(LiveSession session)
{
    /// <summary>Sends a handler's request to the client, unless an earlier run has sent it already.</summary>
    public async Task AskAsync(OpenCall call, JsonRpcRequest request, CancellationToken cancellationToken)
    {
        if (IsKept(call))
        {
            await session.Unrelated.SendAsync(request, cancellationToken).ConfigureAwait(false);
            return;
        }

        var question = session.Runner.Run(
            (call, Hash: CallQuestions.Hash(request), request.Id), static (core, asked) => QuestionSteps.Ask(core, asked.call, asked.Hash, asked.Id));
        if (question.Known is { } known)
        {
            session.Deliver(question.Name, known);
            return;
        }

        if (question.Sent)
            return;
        var payload = JsonRpc.Serialize(new JsonRpcRequest { Id = new RequestId(question.Name), Method = request.Method, Params = request.Params });
        await SendAsync(call, payload, MessageKind.Request)!.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a handler's notification to the client, unless an earlier run has sent it already. Of a call that has ended: on a GET stream.</summary>
    public Task NotifyAsync(OpenCall call, JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        if (IsKept(call))
            return NotifyLaterAsync(notification, cancellationToken);
        var payload = JsonRpc.Serialize(session.Unrelated.Named(notification));
        var sent = call.History is not null &&
            session.Runner.Run((call, notification, payload), static (_, s) => s.call.History!.WasSent(s.notification, s.payload));
        if (sent)
            return Task.CompletedTask;
        var sending = SendAsync(call, payload, MessageKinds.Of(notification));
        return sending is null ? NotifyLaterAsync(notification, cancellationToken) : sending.WaitAsync(cancellationToken);
    }

    /// <summary>Ends the response that reads a call now, behind everything that was sent on it. Only revisions whose clients know of it.</summary>
    public void EndResponse(OpenCall call, TimeSpan retry)
    {
        if (McpHeaders.HasPriming(session.ProtocolVersion))
            session.Runner.Run((call, retry), static (core, s) => MessageSteps.EndResponse(core, s.call, s.retry));
    }

    /// <summary>
    /// Sends a call's answer. Journals it first, together with everything that the call has done to the session, unless the call left no trace.
    /// </summary>
    public Task AnswerAsync(OpenCall call, JsonRpcMessageWithId message)
    {
        JsonRpcMessage answer = message is JsonRpcResponse response
            ? new JsonRpcResponse { Id = call.ClientId, Result = response.Result }
            : new JsonRpcError { Id = call.ClientId, Error = ((JsonRpcError)message).Error };
        var payload = JsonRpc.Serialize(answer);
        var outcome = session.Runner.Run(new CallAnswer(call, payload, IsFailure(message)), static (core, answer) => AnswerSteps.Answer(core, answer));
        if (!outcome.Ended)
            return Task.CompletedTask;
        if (call.Beginning is { } beginning)
            session.Runtime.LazyFlusher.Ended(beginning);
        if (call.TouchedState is { } state)
            SessionStateBag.Abandon(state);
        if (outcome.Unwritten is { } unwritten)
        {
            call.Stream.Publish(unwritten);
            call.Stream.Complete();
        }

        return Task.CompletedTask;
    }

    // The server of a call that was answered is one that the application has kept. A cancelled call may still run, and nothing of it reaches the client.
    private bool IsKept(OpenCall call) => call.Ended && !session.Runner.Read(call, static (_, call) => call.Withdrawn);

    // Progress ends with its call. Everything else is the session's: a server that was kept from the call sends it.
    private Task NotifyLaterAsync(JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        if (notification.Method == NotificationMethods.ProgressNotification)
            return Task.CompletedTask;
        var named = session.Unrelated.Named(notification);
        var isOfTheCall = named == notification && notification.Method == NotificationMethods.CancelledNotification;
        return isOfTheCall ? Task.CompletedTask : session.Unrelated.SendAsync(named, cancellationToken);
    }

    // Null: the call has ended meanwhile.
    private Task? SendAsync(OpenCall call, ReadOnlyMemory<byte> payload, MessageKind kind)
    {
        if (session.Runner.Run((call, payload, kind), static (core, s) => MessageSteps.Send(core, s.call, s.payload, s.kind)) is { } ticket)
            return session.Runtime.Durable ? session.Runner.WrittenAsync(ticket, WaitMode.Ends) : Task.CompletedTask;
        if (kind == MessageKind.Request)
            return Task.FromCanceled(new CancellationToken(true));
        return IsKept(call) ? null : Task.CompletedTask;
    }

    private static bool IsFailure(JsonRpcMessageWithId message) =>
        message is JsonRpcError ||
        message is JsonRpcResponse { Result: JsonObject result } && result["isError"] is JsonValue flag && flag.TryGetValue(out bool isError) && isError;
}
