using System.Threading.Channels;
using Mcp.HighAvailability.Diagnostics;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One message of a session's beginning, fed to a server whose output is kept from the client.</summary>
internal sealed class Handshake(LiveSession session) : ITransport
{
    private readonly TaskCompletionSource<JsonRpcMessageWithId?> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? SessionId => session.Id;

    public ChannelReader<JsonRpcMessage> MessageReader => session.Transport.MessageReader;

    /// <summary>Runs a message and waits until the server has dealt with it; its answer, or <see langword="null"/> for a notification.</summary>
    public static async Task<JsonRpcMessageWithId?> RunAsync(LiveSession session, JsonRpcMessage message, CancellationToken cancellationToken)
    {
        var step = new Handshake(session);
        if (message is JsonRpcRequest request)
            request.Id = new RequestId("handshake");
        CallTrace.Join(message, session.Record.TraceParent);
        message.Context = new JsonRpcMessageContext { RelatedTransport = step };
        session.Transport.FeedNow(message);
        return await step._answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        CallTrace.Complete(session.Id);
        if (message is JsonRpcResponse or JsonRpcError)
            _answer.TrySetResult((JsonRpcMessageWithId)message);
        else if (message is JsonRpcRequest)
            throw new InvalidOperationException("A handler of the session's beginning cannot ask the client: ask in a request, or after the session is open.");
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Whether the application has a handler of its own for <c>notifications/initialized</c>.</summary>
    public static bool HasOtherHandlers(McpServerOptions options) =>
        options.Handlers.NotificationHandlers?.Any(static handler =>
            handler.Key == NotificationMethods.InitializedNotification && handler.Value.Method.Module.Assembly != typeof(Handshake).Assembly) == true;

    /// <summary>Lets <see cref="RunAsync"/> know that <c>notifications/initialized</c> was dealt with.</summary>
    public static void AddTo(McpServerOptions options)
    {
        // Handlers run last registered first, so this one, put in front, runs when the user's have finished.
        options.Handlers.NotificationHandlers =
        [
            new(NotificationMethods.InitializedNotification, static (notification, _) =>
            {
                if (notification.Context?.RelatedTransport is Handshake step)
                    step._answer.TrySetResult(null);
                return ValueTask.CompletedTask;
            }),
            .. options.Handlers.NotificationHandlers ?? [],
        ];
    }
}
