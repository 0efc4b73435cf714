using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>Notification for a client that has missed broadcasts.</summary>
internal static class BroadcastGap
{
    /// <summary>The logger of the notice.</summary>
    public const string Logger = "broadcasts";

    /// <summary>The text of the notice.</summary>
    public const string Text =
        "Notifications to all sessions may be missing here: the server no longer keeps them. List tools, prompts and resources again, and read the " +
            "resources that you subscribed to.";

    /// <summary>A <c>notifications/message</c> of level warning, UTF-8.</summary>
    public static ReadOnlySpan<byte> Notice => Message;

    private static readonly byte[] Message = JsonRpc.Serialize(new JsonRpcNotification
    {
        Method = NotificationMethods.LoggingMessageNotification,
        Params = new JsonObject { ["level"] = "warning", ["logger"] = Logger, ["data"] = Text },
    });
}
