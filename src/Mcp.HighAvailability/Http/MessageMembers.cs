using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>The members of a message's <c>params</c>. What is there twice would be one thing to one reader and another to the next.</summary>
internal static class MessageMembers
{
    public const string Problem = "A member of the message is there twice: send each once.";

    /// <summary>Whether the members that every request is judged by occur once: <c>params</c> and its <c>_meta</c>.</summary>
    public static bool AreThereOnce(JsonRpcMessage message)
    {
        var parameters = ParamsOf(message);
        return AreThereOnce(parameters, levels: 1) && (parameters is not JsonObject members || AreThereOnce(members["_meta"], levels: 1));
    }

    /// <summary>Whether everything is there once, as many levels down.</summary>
    public static bool AreThereOnce(JsonRpcMessage message, int levels) => AreThereOnce(ParamsOf(message), levels);

    private static JsonNode? ParamsOf(JsonRpcMessage message) => (message as JsonRpcRequest)?.Params ?? (message as JsonRpcNotification)?.Params;

    private static bool AreThereOnce(JsonNode? node, int levels)
    {
        try
        {
            Visit(node, levels);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }

        // Looking at the members of an object finds those that are there twice.
        static void Visit(JsonNode? node, int levels)
        {
            if (levels == 0 || node is not JsonObject members)
                return;
            foreach (var (_, value) in members)
                Visit(value, levels - 1);
        }
    }
}
