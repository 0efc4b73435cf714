using System.Text;

namespace McpHa.HighAvailability.Stateless;

/// <summary>The form in which values of the body are repeated in headers: visible ASCII as it is, everything else as <c>=?base64?…?=</c>.</summary>
internal static class HeaderText
{
    private const string Prefix = "=?base64?";
    private const string Suffix = "?=";

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The value that a header stands for; <see langword="null"/> when it has no valid form.</summary>
    public static string? Decode(string header)
    {
        foreach (var c in header)
        {
            if (c is not ('\t' or (>= ' ' and <= '~')))
                return null;
        }

        if (!header.StartsWith(Prefix, StringComparison.Ordinal) || !header.EndsWith(Suffix, StringComparison.Ordinal) || header.Length < Prefix.Length + Suffix.Length)
            return header;
        try
        {
            return Strict.GetString(Convert.FromBase64String(header[Prefix.Length..^Suffix.Length]));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            return null;
        }
    }
}
