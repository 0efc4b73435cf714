using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Stateless;

/// <summary>Arguments of tools that clients repeat in <c>Mcp-Param-*</c> headers, because the tool's schema says so with <c>x-mcp-header</c>.</summary>
internal static class ParameterHeaders
{
    // Numbers in headers are what JavaScript can count to.
    private const decimal LargestInteger = 9_007_199_254_740_991;

    // Schemas are the server's own, but may refer to themselves in any way they like.
    private const int MostLevels = 32;

    public static Refusal? Check(IHeaderDictionary headers, JsonNode? parameters, McpServerOptions server) =>
        JsonRpc.TextParam(parameters, "name") is { } name && server.ToolCollection is { } tools && tools.TryGetPrimitive(name, out var tool)
            ? Check(headers, tool.ProtocolTool.InputSchema, (parameters as JsonObject)?["arguments"], MostLevels)
            : null;

    private static Refusal? Check(IHeaderDictionary headers, JsonElement schema, JsonNode? arguments, int levels)
    {
        if (levels == 0 || schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object)
            return null;
        foreach (var property in properties.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Object)
                continue;
            var value = (arguments as JsonObject)?[property.Name];
            var refusal = property.Value.TryGetProperty("x-mcp-header", out var header) && header.ValueKind == JsonValueKind.String
                ? Check(headers, McpHeaders.ParameterPrefix + header.GetString(), property, value)
                : Check(headers, property.Value, value, levels - 1);
            if (refusal is not null)
                return refusal;
        }

        return null;
    }

    private static Refusal? Check(IHeaderDictionary headers, string header, JsonProperty property, JsonNode? value)
    {
        if (!headers.TryGetValue(header, out var sent))
            return value is null ? null : Refusal.HeaderMismatch($"The header '{header}' is missing: send the argument '{property.Name}' there too.");
        if (HeaderText.Decode(sent.ToString().Trim()) is not { } text)
            return Refusal.HeaderMismatch($"The header '{header}' has characters or a Base64 form that cannot be read: send other than visible ASCII as =?base64?…?=.");
        return value is null || Matches(text, value, IsInteger(property.Value))
            ? null
            : Refusal.HeaderMismatch($"The header '{header}' is not the argument '{property.Name}' of the body: send the same in both, integers no larger than {LargestInteger}.");
    }

    private static bool Matches(string header, JsonNode value, bool integer)
    {
        var argument = value.GetValueKind() switch
        {
            JsonValueKind.String => value.GetValue<string>(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            JsonValueKind.Number => value.ToJsonString(),
            _ => null,
        };

        // What is no primitive is the tool's to complain about.
        if (argument is null)
            return true;
        if (integer && Number(header) is { } sent && Number(argument) is { } meant)
            return sent == meant && decimal.IsInteger(sent) && Math.Abs(sent) <= LargestInteger;
        return header == argument;
    }

    private static decimal? Number(string text) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static bool IsInteger(JsonElement schema) => schema.TryGetProperty("type", out var type) && type.ValueKind switch
    {
        JsonValueKind.String => type.ValueEquals("integer"),
        JsonValueKind.Array => type.EnumerateArray().Any(one => one.ValueKind == JsonValueKind.String && one.ValueEquals("integer")),
        _ => false,
    };
}
