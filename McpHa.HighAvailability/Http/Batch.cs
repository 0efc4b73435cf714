using System.Text.Json;
using McpHa.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Http;

/// <summary>A JSON-RPC batch: several messages in one POST, which only revision 2025-03-26 has.</summary>
internal static class Batch
{
    public const string Revision = "2025-03-26";

    /// <summary>Each of its requests has a place in the event ids of the stream that answers it.</summary>
    public const int MostMessages = 64;

    public static bool IsBatch(ReadOnlySpan<byte> body) => body.TrimStart(" \t\r\n"u8) is [(byte)'[', ..];

    /// <summary>Takes a batch apart. Of one that cannot be served whole nothing is run.</summary>
    /// <returns>What is wrong with it; <see langword="null"/> if nothing is.</returns>
    public static string? Read(ReadOnlyMemory<byte> body, out List<(JsonRpcMessage Message, ReadOnlyMemory<byte> Body)> messages)
    {
        messages = [];
        if (!JsonText.IsText(body.Span))
            return "its text is not valid UTF-8, or has half a surrogate pair in it";
        try
        {
            var reader = new Utf8JsonReader(body.Span);
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (messages.Count == MostMessages)
                    return $"a batch may hold {MostMessages} messages at most";
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                var part = body[start..(int)reader.BytesConsumed];
                messages.Add((JsonRpc.Parse(part.Span), part));
                if (!MessageMembers.AreThereOnce(messages[^1].Message))
                    return $"message {messages.Count} of the batch has a member twice";
                if (messages[^1].Message is JsonRpcRequest { Method: RequestMethods.Initialize })
                    return "'initialize' must be sent alone";
            }

            if (reader.Read())
                return "something follows the batch";
            return messages.Count == 0 ? "the batch is empty" : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or NotSupportedException)
        {
            return $"message {messages.Count + 1} of the batch is not a JSON-RPC message";
        }
    }
}
