using System.Security.Claims;
using System.Threading.Channels;
using Mcp.HighAvailability.Diagnostics;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One message of a session's beginning, fed to the server, which answers here.</summary>
/// <remarks>
/// A server of the application that was kept from a handler of this message sends through it for as long as the session lives. In a replay, what the handlers
/// send is kept from the client, which has had it from the first owner.
/// </remarks>
internal sealed class Handshake(LiveSession session, bool replay) : ITransport
{
    private readonly TaskCompletionSource<JsonRpcMessageWithId?> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? SessionId => session.Id;

    public ChannelReader<JsonRpcMessage> MessageReader => session.Transport.MessageReader;

    /// <summary>No client has sent the message: a later owner's server hears again what the first one heard.</summary>
    public bool IsReplay => replay;

    /// <summary>
    /// Runs a message that the client has sent and waits until the server has dealt with it; its answer, or <see langword="null"/> for a notification.
    /// </summary>
    public static Task<JsonRpcMessageWithId?> RunAsync(
        LiveSession session, JsonRpcMessage message, ClaimsPrincipal? user, CancellationToken cancellationToken) =>
        FeedAsync(new Handshake(session, replay: false), session, message, user, cancellationToken);

    /// <summary>As <see cref="RunAsync"/>, for a message that the first owner's server has heard.</summary>
    public static Task<JsonRpcMessageWithId?> ReplayAsync(
        LiveSession session, JsonRpcMessage message, ClaimsPrincipal? user, CancellationToken cancellationToken) =>
        FeedAsync(new Handshake(session, replay: true), session, message, user, cancellationToken);

    private static async Task<JsonRpcMessageWithId?> FeedAsync(
        Handshake step, LiveSession session, JsonRpcMessage message, ClaimsPrincipal? user, CancellationToken cancellationToken)
    {
        if (message is JsonRpcRequest request)
            request.Id = new RequestId("handshake");
        CallTrace.Join(message, session.Record.TraceParent);
        message.Context = new JsonRpcMessageContext { RelatedTransport = step, User = user };
        session.Transport.FeedNow(message);
        return await step._answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        CallTrace.Complete(session.Id);
        if (message is JsonRpcResponse or JsonRpcError)
            _answer.TrySetResult((JsonRpcMessageWithId)message);
        else if (_answer.Task.IsCompleted || !replay && message is JsonRpcNotification)
            return session.Unrelated.SendAsync(message, cancellationToken);
        else if (message is JsonRpcRequest)
            throw new InvalidOperationException("A handler of 'initialize' cannot send a server request. Send it from a tool, prompt or resource handler.");
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
