using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Protocol;

/// <summary>
/// Integers written with a fraction or an exponent: to JSON Schema <c>50.0</c> and <c>5e1</c> are the integer 50, to the .NET serializer they are
/// not.
/// </summary>
internal static class Integers
{
    private static readonly SearchValues<byte> Marks = SearchValues.Create(".eE"u8);

    /// <summary>Reads a number that is an integer, in whatever form it is written.</summary>
    public static bool TryRead(JsonNode node, out long value)
    {
        value = 0;
        return node is JsonValue number && number.GetValueKind() == JsonValueKind.Number && 
            (number.TryGetValue(out value) || TryRead(JsonSerializer.SerializeToElement(number), out value));
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
        JsonValueKind.Object => RewrittenObject(element),
        JsonValueKind.Array => new JsonArray([.. element.EnumerateArray().Select(Rewritten)]),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(element),
    };

    // The last of several members of one name counts, as it does to the serializer.
    private static JsonObject RewrittenObject(JsonElement element)
    {
        JsonObject members = [];
        foreach (var member in element.EnumerateObject())
            members[member.Name] = Rewritten(member.Value);
        return members;
    }

    // False for plain integers too. The decimal is exact where a double is not; the double is no integer where the decimal was rounded to one (1e-30).
    private static bool TryRead(JsonElement number, out long value)
    {
        var text = JsonMarshal.GetRawUtf8Value(number);
        value = 0;
        if (!text.ContainsAny(Marks) ||
            !decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var exact) || !decimal.IsInteger(exact) ||
            exact is < long.MinValue or > long.MaxValue || !double.IsInteger(number.GetDouble()))
        {
            return false;
        }

        value = (long)exact;
        return true;
    }
}
