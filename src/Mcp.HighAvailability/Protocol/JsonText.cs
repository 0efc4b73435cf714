using System.Text.Json;
using System.Text.Unicode;

namespace Mcp.HighAvailability.Protocol;

/// <summary>Whether all that JSON calls text is text.</summary>
/// <remarks>
/// The parser looks at strings and names only when they are used, which may be deep inside a handler or in the next owner. So this is checked once,
/// before anything is stored.
/// </remarks>
internal static class JsonText
{
    public static bool IsText(ReadOnlySpan<byte> json) => Utf8.IsValid(json) && (!MayHoldSurrogates(json) || HasWholePairs(json));

    /// <summary>Whether the text is JSON, of any content and any depth.</summary>
    public static bool IsJson(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // Escaped, as \ud800; unescaped ones are not valid UTF-8.
    private static bool MayHoldSurrogates(ReadOnlySpan<byte> json) => json.IndexOf("\\ud"u8) >= 0 || json.IndexOf("\\uD"u8) >= 0;

    private static bool HasWholePairs(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                    _ = reader.GetString();
            }

            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
        catch (JsonException)
        {
            return true; // broken in another way, which is for the parser to say
        }
    }
}
