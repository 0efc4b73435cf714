using System.Globalization;
using System.Text.Json;

namespace Mcp.HighAvailability.Http;

/// <summary>
/// Finds the first argument that does not fit a tool's input schema: one that is missing, of the wrong type, or not among the values of an
/// enumeration.
/// </summary>
/// <remarks>Not a validator: it looks for the reason of a call that has failed, and passes over what it does not know.</remarks>
internal static class SchemaMismatch
{
    // Schemas are the server's own, but may refer to themselves in any way they like.
    private const int MaxDepth = 32;

    public static string? Find(JsonElement schema, IDictionary<string, JsonElement>? arguments)
    {
        var properties = Member(schema, "properties");
        foreach (var required in Items(schema, "required"))
        {
            if (arguments?.ContainsKey(required.GetString()!) != true)
                return $"The argument '{required.GetString()}' is missing.";
        }

        return (arguments ?? new Dictionary<string, JsonElement>())
            .Select(argument => Member(properties, argument.Key) is { } property ? Find(property, argument.Value, argument.Key, MaxDepth) : null)
            .FirstOrDefault(problem => problem is not null);
    }

    private static string? Find(JsonElement? schema, JsonElement value, string name, int depth)
    {
        if (depth == 0 || schema is not { ValueKind: JsonValueKind.Object } rules)
            return null;
        var types = Member(rules, "type") is { } type
            ? (type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(t => t.GetString()) : [type.GetString()]).OfType<string>().ToArray()
            : [];
        if (types.Length > 0 && !types.Any(t => Fits(t, value)))
            return $"The argument '{name}' must be of type {string.Join(" or ", types)}.";
        if (Member(rules, "enum") is not null && !Items(rules, "enum").Any(one => JsonElement.DeepEquals(one, value)))
            return $"The argument '{name}' must be one of {string.Join(", ", Items(rules, "enum").Select(one => one.GetRawText()))}.";
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var required in Items(rules, "required"))
                {
                    if (!value.TryGetProperty(required.GetString()!, out _))
                        return $"The argument '{name}' lacks '{required.GetString()}'.";
                }

                return value.EnumerateObject()
                    .Select(member => Find(Member(Member(rules, "properties"), member.Name), member.Value, $"{name}.{member.Name}", depth - 1))
                    .FirstOrDefault(problem => problem is not null);
            case JsonValueKind.Array:
                return value.EnumerateArray().Select((item, index) => Find(Member(rules, "items"), item, $"{name}[{index}]", depth - 1))
                    .FirstOrDefault(problem => problem is not null);
            default:
                return null;
        }
    }

    // The serializer reads numbers from strings too.
    private static bool Fits(string type, JsonElement value) => type switch
    {
        "string" => value.ValueKind == JsonValueKind.String,
        "integer" => IsNumber(value, integer: true),
        "number" => IsNumber(value, integer: false),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => true,
    };

    private static bool IsNumber(JsonElement value, bool integer) =>
        value.ValueKind is JsonValueKind.Number or JsonValueKind.String &&
        double.TryParse(value.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && (!integer || double.IsInteger(number));

    private static JsonElement? Member(JsonElement? element, string name) =>
        element is { ValueKind: JsonValueKind.Object } there && there.TryGetProperty(name, out var member) ? member : null;

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Array } items ? items.EnumerateArray() : [];
}
