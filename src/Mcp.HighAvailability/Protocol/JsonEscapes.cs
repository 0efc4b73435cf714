using System.Globalization;
using System.Text;

namespace Mcp.HighAvailability.Protocol;

/// <summary>Writes as UTF-8 what the serializer escapes although JSON does not ask for it, such as emoji: 4 bytes instead of 12.</summary>
internal static class JsonEscapes
{
    private const int Length = 6; // \u0000

    public static bool Any(ReadOnlySpan<byte> json) => json.IndexOf("\\u"u8) >= 0;

    /// <summary>Removes such escapes. Changes the array; returns it, or a shorter one.</summary>
    public static byte[] Remove(byte[] json)
    {
        var first = json.AsSpan().IndexOf("\\u"u8);
        if (first < 0)
            return json;
        var written = Remove(json, Math.Max(0, json.AsSpan(0, first).LastIndexOfAnyExcept((byte)'\\')));
        return written == json.Length ? json : json[..written];
    }

    private static int Remove(Span<byte> json, int start)
    {
        var (read, write) = (start, start);
        while (read < json.Length)
        {
            var plain = json[read..].IndexOf((byte)'\\');
            if (plain < 0)
                plain = json.Length - read;
            json.Slice(read, plain).CopyTo(json[write..]);
            (read, write) = (read + plain, write + plain);
            if (read == json.Length)
                break;
            if (TryRead(json[read..], out var rune, out var length))
            {
                read += length;
                if (rune.Value is '"' or '\\')
                    json[write++] = (byte)'\\';
                write += rune.EncodeToUtf8(json[write..]);
            }
            else
            {
                // An escape with another letter, or one that JSON asks for.
                json.Slice(read, 2).CopyTo(json[write..]);
                (read, write) = (read + 2, write + 2);
            }
        }

        return write;
    }

    // Controls stay as they are.
    private static bool TryRead(ReadOnlySpan<byte> text, out Rune rune, out int length)
    {
        length = Length;
        rune = default;
        if (!TryReadUnit(text, out var unit))
            return false;
        if (!char.IsHighSurrogate(unit))
            return unit >= ' ' && Rune.TryCreate(unit, out rune);
        length = 2 * Length;
        return TryReadUnit(text[Length..], out var low) && Rune.TryCreate(unit, low, out rune);
    }

    private static bool TryReadUnit(ReadOnlySpan<byte> text, out char unit)
    {
        unit = default;
        if (text.Length < Length || !text.StartsWith("\\u"u8) ||
            !ushort.TryParse(text[2..Length], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return false;
        unit = (char)value;
        return true;
    }
}
