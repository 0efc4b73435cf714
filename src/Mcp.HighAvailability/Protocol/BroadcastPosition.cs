using System.Globalization;
using System.Security.Cryptography;

namespace Mcp.HighAvailability.Protocol;

/// <summary>A place in the broadcast log: the log's incarnation and the number of an entry.</summary>
/// <remarks>
/// Numbers ascend by one within an incarnation. A store that has lost entries begins another incarnation, so a pair is never given twice. A later
/// incarnation is larger, as far as the clocks of those who begin one agree.
/// </remarks>
/// <param name="Incarnation">At least the Unix milliseconds at its beginning, times 65,536; the rest is random. 0 in <see cref="None"/>.</param>
/// <param name="Number">1 or more; 0 before the first entry of the incarnation.</param>
public readonly record struct BroadcastPosition(long Incarnation, long Number)
{
    private const int MaxDigits = 16;
    private const int RandomBits = 16;

    /// <summary>Before everything: the log has never had an entry.</summary>
    public static BroadcastPosition None => default;

    /// <summary>Whether this is <see cref="None"/>.</summary>
    public bool IsNone => Incarnation == 0;

    /// <summary>Reads what <see cref="ToString"/> writes: <c>{incarnation, hexadecimal}.{number}</c>, or <c>0</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out BroadcastPosition position)
    {
        position = default;
        if (text is "0")
            return true;
        var dot = text.IndexOf('.');
        if (dot is < 1 or > MaxDigits || text[0] == '0' || text[..dot].ContainsAnyExcept("0123456789abcdef") ||
            !long.TryParse(text[..dot], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var incarnation) || incarnation <= 0 ||
            text.Length - dot - 1 is < 1 or > MaxDigits || text[(dot + 1)..].ContainsAnyExceptInRange('0', '9') ||
            text[dot + 1] == '0' && text.Length > dot + 2 ||
            !long.TryParse(text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        position = new(incarnation, number);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "0" : string.Create(CultureInfo.InvariantCulture, $"{Incarnation:x}.{Number}");

    /// <summary>An incarnation that begins at a time, above that of this position.</summary>
    internal long NextIncarnation(DateTimeOffset now) =>
        Math.Max(now.ToUnixTimeMilliseconds() << RandomBits, Incarnation + 1) + RandomNumberGenerator.GetInt32(1 << RandomBits);

    /// <summary>A position behind all entries of this incarnation, and before those of later ones.</summary>
    internal BroadcastPosition BehindIncarnation => new(Incarnation + 1, 0);

    /// <summary>
    /// Whether an entry at this position has everything before it up to <paramref name="earlier"/>, as far as numbers of one incarnation tell.
    /// </summary>
    internal bool Covers(BroadcastPosition earlier) => earlier.IsNone || Incarnation == earlier.Incarnation && Number >= earlier.Number;
}
