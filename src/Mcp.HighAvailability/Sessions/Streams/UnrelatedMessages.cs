using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Messages of the server outside calls. They go to the newest GET stream, or wait for one.</summary>
/// <remarks>A <c>McpServer</c> that an application keeps beyond its call sends here too.</remarks>
internal sealed partial class UnrelatedMessages(LiveSession session)
{
    private int _refused;

    /// <summary>Sends a message of the server.</summary>
    /// <exception cref="InvalidOperationException">
    /// The session is not served here any more, which the log says once for each session; or a request has no stream to go to.
    /// </exception>
    public Task SendAsync(JsonRpcMessage message, CancellationToken cancellationToken) => message switch
    {
        JsonRpcRequest question => SendAsync(Asked(question), question.Method, cancellationToken),
        JsonRpcNotification notification => SendAsync(Named(notification), notification.Method, cancellationToken),

        // An answer without a request of ours: nothing that a client could use.
        _ => Task.CompletedTask,
    };

    /// <summary>The notification as the client has to see it. Never changes the original.</summary>
    public JsonRpcNotification Named(JsonRpcNotification notification) => notification.Method == NotificationMethods.CancelledNotification
        ? session.Runner.Run(notification, QuestionSteps.WithQuestionName)
        : notification;

    /// <summary>Sends a notification if the session is active here; otherwise <see langword="null"/>, and nothing was sent.</summary>
    public Task? TrySend(JsonRpcMessage message) => session.Runner.Run(
        (Payload: JsonRpc.Serialize(message), Kind: MessageKinds.Of(message)),
        static (core, sent) => MessageSteps.SendUnrelated(core, sent.Payload, sent.Kind)) is { } ticket
            ? session.Runtime.Durable ? session.Runner.WrittenAsync(ticket, WaitMode.Ends) : Task.CompletedTask
            : null;

    private JsonRpcRequest Asked(JsonRpcRequest question)
    {
        if (session.Runner.Run(question.Id, QuestionSteps.AskUnrelated) is { } name)
            return new JsonRpcRequest { Id = new RequestId(name), Method = question.Method, Params = question.Params };
        throw session.Serves
            ? new InvalidOperationException(
                $"'{question.Method}' cannot be sent: the client has no open GET stream. Send it from a tool, prompt or resource handler, "
                + "with the McpServer of its request context.")
            : Refused(question.Method);
    }

    private async Task SendAsync(JsonRpcMessage message, string method, CancellationToken cancellationToken)
    {
        if (TrySend(message) is { } sending)
        {
            await sending.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (sending.IsCompletedSuccessfully)
                return;
            cancellationToken.ThrowIfCancellationRequested();
        }

        throw Refused(method);
    }

    // The log has it too, as senders do not all look at the outcome.
    private InvalidOperationException Refused(string method)
    {
        if (Interlocked.Exchange(ref _refused, 1) == 0)
            LogRefused(session.Runtime.Logger, session.Id, method);
        return new(
            $"'{method}' was not sent: session {session.Id} has ended or moved to another replica. Use {nameof(IMcpSessions)}, which sends to a session "
            + "wherever it is.");
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Session {SessionId} is not served here any more: '{Method}' of a kept McpServer was not sent. Use IMcpSessions instead.")]
    private static partial void LogRefused(ILogger logger, string sessionId, string method);
}
