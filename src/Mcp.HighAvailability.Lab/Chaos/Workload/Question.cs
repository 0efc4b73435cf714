using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>Questions of the server to the client, and what this client's user says to them.</summary>
internal static class Question
{
    /// <summary>The text that identifies a question: the message of an elicitation, the last message of a sampling request.</summary>
    public static string Of(string method, JsonNode? parameters) => method switch
    {
        "elicitation/create" => (string?)parameters?["message"] ?? "",
        "sampling/createMessage" => SamplingText(parameters?["messages"]?.AsArray().LastOrDefault()?["content"]),
        _ => method,
    };

    /// <summary>The user's answer. It depends on the question alone, so that an answer to another question is found out.</summary>
    public static string Answer(string question) => "re:" + Mark(question);

    /// <summary>The part of a question that its call has given: its last word, without the question mark.</summary>
    public static string Mark(string question) => question.TrimEnd('?', '.').Split((char[])[' ', '\n']).Last();

    /// <summary>How long the user thinks: half of the answers come at once, others after up to three seconds. It depends on question and seed alone.</summary>
    public static TimeSpan Thinking(string question, int seed)
    {
        // Stable, unlike string.GetHashCode.
        var hash = (uint)seed;
        foreach (var character in Mark(question))
            hash = (hash ^ character) * 16_777_619;
        return hash % 2 == 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(hash / 2 % 3_000);
    }

    private static string SamplingText(JsonNode? content) => (string?)(content is JsonArray blocks ? blocks.FirstOrDefault() : content)?["text"] ?? "";
}
