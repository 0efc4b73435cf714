using McpHa.HighAvailability.Journal;

namespace McpHa.HighAvailability.Http;

/// <summary>Event ids of a stream that answers a batch: how far each of its calls has been sent, so that one id resumes them all.</summary>
internal static class BatchCursor
{
    private const char Separator = '.';

    public static string Write(IEnumerable<SseEventId> calls) => string.Join(Separator, calls);

    /// <summary>Reads an id; <see langword="false"/> for what is not one of a batch with two calls or more, whose ids look like no other.</summary>
    public static bool TryParse(string text, out IReadOnlyList<SseEventId> calls)
    {
        var parsed = new List<SseEventId>();
        calls = parsed;
        if (!text.Contains(Separator, StringComparison.Ordinal))
            return false;
        foreach (var part in text.AsSpan().Split(Separator))
        {
            if (parsed.Count == Batch.MostMessages || !SseEventId.TryParse(text.AsSpan(part), out var id) || !id.IsCall)
                return false;
            parsed.Add(id);
        }

        return true;
    }
}
