using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Messages of the server outside calls. They go to the newest GET stream, or wait for one.</summary>
internal sealed class UnrelatedMessages(LiveSession session)
{
    /// <summary>Sends a message of the server.</summary>
    public Task SendAsync(JsonRpcMessage message, CancellationToken cancellationToken)
    {
        switch (message)
        {
            case JsonRpcRequest question:
                var name = session.Runner.Run(question.Id, QuestionSteps.AskUnrelated) ?? throw new InvalidOperationException(
                    $"'{question.Method}' cannot be sent: the client has no GET stream open, so it would never hear of it. Ask from inside a tool, prompt " +
                        "or resource handler, with the McpServer that the request context gives.");
                return SendAsync(new JsonRpcRequest { Id = new RequestId(name), Method = question.Method, Params = question.Params })
                    .WaitAsync(cancellationToken);
            case JsonRpcNotification notification:
                return SendAsync(Named(notification)).WaitAsync(cancellationToken);
            default:
                // An answer without a request of ours: nothing that a client could use.
                return Task.CompletedTask;
        }
    }

    /// <summary>The notification as the client has to see it. Never changes the original.</summary>
    public JsonRpcNotification Named(JsonRpcNotification notification) => notification.Method == NotificationMethods.CancelledNotification
        ? session.Runner.Run(notification, QuestionSteps.WithQuestionName)
        : notification;

    private Task SendAsync(JsonRpcMessage message) => WhenSentAsync(session.Runner.Run(
        (Payload: JsonRpc.Serialize(message), Kind: MessageKinds.Of(message)), static (core, sent) =>
            MessageSteps.SendUnrelated(core, sent.Payload, sent.Kind)));

    private Task WhenSentAsync(long? ticket) =>
        ticket is { } sent && session.Runtime.Durable ? session.Runner.WrittenAsync(sent, WaitMode.Ends) : Task.CompletedTask;
}
