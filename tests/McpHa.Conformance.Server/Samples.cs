namespace McpHa.Conformance;

/// <summary>The smallest files that are what they say.</summary>
internal static class Samples
{
    /// <summary>A picture of one red pixel.</summary>
    public static ReadOnlyMemory<byte> Png { get; } = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==");

    /// <summary>A recording without a sample in it.</summary>
    public static ReadOnlyMemory<byte> Wav { get; } = Convert.FromBase64String("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=");

    /// <summary>The same bytes as the text that content blocks carry.</summary>
    public static ReadOnlyMemory<byte> AsBase64(ReadOnlyMemory<byte> bytes) =>
        System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(bytes.Span));
}
