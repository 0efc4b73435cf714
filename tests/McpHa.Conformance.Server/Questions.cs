using System.Text.Json;
using ModelContextProtocol.Protocol;

namespace McpHa.Conformance;

/// <summary>What tools and prompts ask by way of their result, and the answers.</summary>
internal static class Questions
{
    public static InputRequest Text(string message, string property) => Ask(message, property, new ElicitRequestParams.StringSchema());

    public static InputRequest Confirm() => Ask("Please confirm", "ok", new ElicitRequestParams.BooleanSchema());

    public static InputRequest Sample(string prompt, int maxTokens) => InputRequest.ForSampling(new CreateMessageRequestParams
    {
        Messages = [new() { Role = Role.User, Content = [new TextContentBlock { Text = prompt }] }],
        MaxTokens = maxTokens,
    });

    public static InputRequest Roots() => InputRequest.ForRootsList(new ListRootsRequestParams());

    /// <summary>The text that was given for a property of an elicitation; <see langword="null"/> when there is no answer, or none that fits.</summary>
    public static string? Answer(RequestParams parameters, string question, string property)
    {
        if (parameters.InputResponses is not { } answers || !answers.TryGetValue(question, out var answer))
            return null;
        try
        {
            return answer.Deserialize(InputResponse.ElicitResultJsonTypeInfo)?.Content is { } content &&
                content.TryGetValue(property, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static InputRequest Ask(string message, string property, ElicitRequestParams.PrimitiveSchemaDefinition schema) =>
        InputRequest.ForElicitation(new ElicitRequestParams
        {
            Message = message,
            RequestedSchema = new() { Properties = { [property] = schema }, Required = [property] },
        });
}
