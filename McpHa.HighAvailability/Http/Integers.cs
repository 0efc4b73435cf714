using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace McpHa.HighAvailability.Http;

/// <summary>Integers written with a fraction or an exponent: to JSON Schema <c>50.0</c> and <c>5e1</c> are the integer 50, to the .NET serializer they are not.</summary>
internal static class Integers
{
    private static readonly SearchValues<byte> Marks = SearchValues.Create(".eE"u8);

    /// <summary>Reads a number that is an integer, in whatever form it is written.</summary>
    public static bool TryRead(JsonNode node, out long value)
    {
        value = 0;
        return node is JsonValue number && number.GetValueKind() == JsonValueKind.Number && (number.TryGetValue(out value) || TryRead(number.ToJsonString(), out value));
    }

    /// <summary>Rewrites such integers to plain ones, at any depth. <see langword="null"/>: there are none.</summary>
    public static JsonElement? Rewrite(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => TryRead(element, out var value) ? JsonSerializer.SerializeToElement(value) : null,
        JsonValueKind.Object or JsonValueKind.Array when Contains(element) => JsonSerializer.SerializeToElement(Rewritten(element)),
        _ => null,
    };

    private static bool Contains(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => TryRead(element, out _),
        JsonValueKind.Object => element.EnumerateObject().Any(member => Contains(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().Any(Contains),
        _ => false,
    };

    private static JsonNode? Rewritten(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number when TryRead(element, out var value) => JsonValue.Create(value),
        JsonValueKind.Object => new JsonObject(element.EnumerateObject().Select(member => KeyValuePair.Create(member.Name, Rewritten(member.Value)))),
        JsonValueKind.Array => new JsonArray([.. element.EnumerateArray().Select(Rewritten)]),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(element),
    };

    // False for plain integers too.
    private static bool TryRead(JsonElement number, out long value)
    {
        var text = JsonMarshal.GetRawUtf8Value(number);
        value = 0;
        return text.ContainsAny(Marks) && decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var exact) && TryConvert(exact, out value);
    }

    private static bool TryRead(string text, out long value)
    {
        value = 0;
        return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var exact) && TryConvert(exact, out value);
    }

    private static bool TryConvert(decimal exact, out long value)
    {
        var integral = decimal.IsInteger(exact) && exact is >= long.MinValue and <= long.MaxValue;
        value = integral ? (long)exact : 0;
        return integral;
    }
}
