using System.ComponentModel;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance;

[McpServerPromptType]
public static class Prompts
{
    [McpServerPrompt(Name = "test_simple_prompt"), Description("A prompt without arguments.")]
    public static PromptMessage[] Simple() => [User("This is a simple prompt for testing.")];

    [McpServerPrompt(Name = "test_prompt_with_arguments"), Description("A prompt with two arguments.")]
    public static PromptMessage[] WithArguments(
        [Description("The first one.")] string arg1,
        [Description("The second one.")] string arg2) => [User($"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")];

    [McpServerPrompt(Name = "test_prompt_with_embedded_resource"), Description("A prompt that embeds a resource.")]
    public static PromptMessage[] WithResource([Description("The URI of the resource to embed.")] string resourceUri) =>
    [
        User(new EmbeddedResourceBlock
        {
            Resource = new TextResourceContents { Uri = resourceUri, MimeType = "text/plain", Text = "Embedded resource content for testing." },
        }),
        User("Please process the embedded resource above."),
    ];

    [McpServerPrompt(Name = "test_prompt_with_image"), Description("A prompt with a picture.")]
    public static PromptMessage[] WithImage() =>
    [
        User(new ImageContentBlock { Data = Samples.AsBase64(Samples.Png), MimeType = "image/png" }),
        User("Please analyze the image above."),
    ];

    [McpServerPrompt(Name = "test_input_required_result_prompt"), Description("A prompt that needs to know something first.")]
    public static PromptMessage[] NeedsContext(RequestContext<GetPromptRequestParams> request)
    {
        if (Questions.Answer(request.Params, "user_context", "context") is not { } context)
            throw new InputRequiredException(new Dictionary<string, InputRequest> { ["user_context"] = Questions.Text("What context should the prompt use?", "context") });
        return [User($"Use this context: {context}")];
    }

    private static PromptMessage User(string text) => User(new TextContentBlock { Text = text });

    private static PromptMessage User(ContentBlock content) => new() { Role = Role.User, Content = content };
}
