using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Finds repeated members in a message's <c>params</c>: two readers could take different ones.</summary>
internal static class MessageMembers
{
    /// <summary>
    /// Returns the error if <c>params</c> or its <c>_meta</c> has two members of one name: every request is judged by them. <see langword="null"/>: none.
    /// </summary>
    public static string? Problem(JsonRpcMessage message)
    {
        var parameters = ParamsOf(message);
        return Problem(parameters, levels: 1) ?? (parameters is JsonObject members ? Problem(members["_meta"], levels: 1) : null);
    }

    /// <summary>Returns the error if an object in <c>params</c> has two members of one name. <see langword="null"/>: none.</summary>
    public static string? Problem(JsonRpcMessage message, int levels) => Problem(ParamsOf(message), levels);

    private static JsonNode? ParamsOf(JsonRpcMessage message) => (message as JsonRpcRequest)?.Params ?? (message as JsonRpcNotification)?.Params;

    private static string? Problem(JsonNode? node, int levels)
    {
        if (levels == 0 || node is not JsonObject members)
            return null;
        try
        {
            foreach (var (_, value) in members)
            {
                if (Problem(value, levels - 1) is { } problem)
                    return problem;
            }

            return null;
        }
        catch (ArgumentException)
        {
            // The object reads its members when it is asked for the first time, and refuses two of one name.
            return $"The message repeats the member '{HttpAnswers.Printable(Duplicate(members))}'. Send each member once.";
        }
    }

    private static string Duplicate(JsonObject members)
    {
        using var document = JsonDocument.Parse(members.ToJsonString());
        return document.RootElement.EnumerateObject().GroupBy(static member => member.Name).First(static group => group.Count() > 1).Key;
    }
}
