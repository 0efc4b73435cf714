using System.Text.Json;

namespace Mcp.HighAvailability.Relay;

/// <summary>How far a call's progress notifications have come: what does not advance was told by an earlier run.</summary>
internal sealed class RelayProgress
{
    private double _reached = double.NegativeInfinity;

    /// <summary>Takes note of an event. <see langword="false"/>: it reports progress that was reported before.</summary>
    public bool Advances(SseEvent whole)
    {
        if (whole.Bytes.Span.IndexOf("notifications/progress"u8) < 0 || Step(whole.Bytes.Span) is not { } step)
            return true;
        if (step <= _reached)
            return false;
        _reached = step;
        return true;
    }

    // Of messages that stand on one line, as those of every server that we know do.
    private static double? Step(ReadOnlySpan<byte> whole)
    {
        var data = whole.IndexOf("data:"u8);
        if (data < 0)
            return null;
        var line = whole[(data + 5)..];
        var end = line.IndexOf((byte)'\n');
        try
        {
            var reader = new Utf8JsonReader(end < 0 ? line : line[..end]);
            using var message = JsonDocument.ParseValue(ref reader);
            return message.RootElement is { ValueKind: JsonValueKind.Object } root &&
                root.TryGetProperty("method", out var method) && method.ValueKind == JsonValueKind.String && method.ValueEquals("notifications/progress") &&
                root.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object &&
                parameters.TryGetProperty("progress", out var progress) && progress.ValueKind == JsonValueKind.Number
                ? progress.GetDouble()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
