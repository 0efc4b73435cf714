using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Journal;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What a handler sends to its client while it runs: questions and notifications, each once however often it is run.</summary>
internal sealed partial class LiveSession
{
    /// <summary>Sends a handler's question to the client, unless an earlier run has put it already.</summary>
    public async Task AskAsync(OpenCall call, JsonRpcRequest question, CancellationToken cancellationToken)
    {
        var name = call.Questions.Name(question);
        _questions[name] = question.Id;
        if (call.Ended)
            _questions.TryRemove(name, out _);
        if (call.History?.TakeAnswer(name) is { } known)
        {
            Deliver(name, known);
            return;
        }

        if (call.History?.WasAsked(name) == true)
            return;
        await SendAsync(call, JsonRpc.Serialize(new JsonRpcRequest { Id = new RequestId(name), Method = question.Method, Params = question.Params }), MessageKind.Request)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a handler's notification to the client, unless an earlier run has sent it already.</summary>
    public Task NotifyAsync(OpenCall call, JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        var payload = JsonRpc.Serialize(WithQuestionName(notification));
        return call.History?.WasSent(notification, payload) == true
            ? Task.CompletedTask
            : SendAsync(call, payload, MessageKinds.Of(notification)).WaitAsync(cancellationToken);
    }

    /// <summary>Ends the response that reads a call now, behind everything that was sent on it. Only revisions whose clients know of it.</summary>
    public void EndResponse(OpenCall call, TimeSpan retry)
    {
        if (!McpHeaders.HasPriming(ProtocolVersion))
            return;
        lock (Gate)
        {
            if (call.Ended || _closed)
                return;
            Queue.Open().Then(new(EffectKind.Poll, call.Stream, Retry: retry));
        }

        Queue.Flush();
    }

    private Task SendAsync(OpenCall call, ReadOnlyMemory<byte> payload, MessageKind kind)
    {
        Task done;
        lock (Gate)
        {
            if (call.Ended || _gone.Task.IsCompleted)
                return kind == MessageKind.Request ? Task.FromCanceled(new CancellationToken(true)) : Task.CompletedTask;
            Append(call.Stream, payload, kind);
            done = _runtime.Durable ? Queue.Open().Done : Task.CompletedTask;
        }

        Queue.Flush();
        return done;
    }
}
