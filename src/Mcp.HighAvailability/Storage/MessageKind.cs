using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Storage;

/// <summary>Kind of a journaled message. Under pressure <see cref="Progress"/> is dropped first, then <see cref="Notification"/>.</summary>
internal enum MessageKind
{
    /// <summary>Answers a client's request. Never dropped.</summary>
    Answer,

    /// <summary>A server request: a handler waits for its answer. Never dropped.</summary>
    Request,

    /// <summary>A notification that is neither progress nor a log message.</summary>
    Notification,

    /// <summary>Progress or a log message.</summary>
    Progress,
}

internal static class MessageKinds
{
    public static MessageKind Of(JsonRpcMessage message) => message switch
    {
        JsonRpcRequest => MessageKind.Request,
        JsonRpcNotification { Method: NotificationMethods.ProgressNotification or NotificationMethods.LoggingMessageNotification } => MessageKind.Progress,
        JsonRpcNotification => MessageKind.Notification,
        _ => MessageKind.Answer,
    };

    /// <summary>Whether a message of this kind must reach its client.</summary>
    public static bool Lasts(this MessageKind kind) => kind is MessageKind.Answer or MessageKind.Request;
}
