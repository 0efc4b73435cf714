using System.Text;

namespace Mcp.HighAvailability.Relay;

/// <summary>The first event of HTTP+SSE (2024-11-05), <c>endpoint</c>: the address that messages are posted to, which names the session.</summary>
internal static class LegacyEndpoint
{
    /// <summary>The session's id; <see langword="null"/> when the event is another one, or names none.</summary>
    public static string? SessionIdOf(ReadOnlySpan<byte> whole)
    {
        var isEndpoint = false;
        ReadOnlySpan<byte> address = default;
        foreach (var range in whole.Split((byte)'\n'))
        {
            var line = whole[range];
            if (line.StartsWith("event:"u8))
                isEndpoint = line["event:".Length..].Trim((byte)' ').SequenceEqual("endpoint"u8);
            else if (line.StartsWith("data:"u8))
                address = line["data:".Length..].Trim((byte)' ');
        }

        return isEndpoint && address.IndexOf((byte)'?') is >= 0 and var query ? SessionIdIn(Encoding.UTF8.GetString(address[query..])) : null;
    }

    /// <summary>The session's id in the query of such an address; <see langword="null"/> when there is none.</summary>
    public static string? SessionIdIn(string query)
    {
        foreach (var pair in new Microsoft.AspNetCore.WebUtilities.QueryStringEnumerable(query))
        {
            if (pair.EncodedName.Span is "sessionId" && pair.EncodedValue.Length > 0)
                return pair.DecodeValue().ToString();
        }

        return null;
    }
}
