using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance.Tools;

/// <summary>A tool for each kind of content, and for errors.</summary>
[McpServerToolType]
[Rerun(true)]
public static class ContentTools
{
    [McpServerTool(Name = "test_simple_text"), Description("Answers a text.")]
    public static string SimpleText() => "This is a simple text response for testing.";

    [McpServerTool(Name = "test_image_content"), Description("Answers a picture.")]
    public static ImageContentBlock Image() => new() { Data = Samples.AsBase64(Samples.Png), MimeType = "image/png" };

    [McpServerTool(Name = "test_audio_content"), Description("Answers a recording.")]
    public static AudioContentBlock Audio() => new() { Data = Samples.AsBase64(Samples.Wav), MimeType = "audio/wav" };

    [McpServerTool(Name = "test_embedded_resource"), Description("Answers a resource.")]
    public static EmbeddedResourceBlock Embedded() =>
        Resource("test://embedded-resource", "text/plain", "This is an embedded resource content.");

    [McpServerTool(Name = "test_multiple_content_types"), Description("Answers a text, a picture and a resource.")]
    public static ContentBlock[] Mixed() =>
    [
        new TextContentBlock { Text = "Multiple content types test:" },
        Image(),
        Resource("test://mixed-content-resource", "application/json", """{"test":"data","value":123}"""),
    ];

    [McpServerTool(Name = "test_error_handling"), Description("Always fails.")]
    public static string Fail() => throw new McpException("This tool intentionally returns an error for testing");

    [McpServerTool(Name = "test_header_param"), Description("Takes an argument that clients repeat in a header.")]
    public static string HeaderParameter([McpHeader("Region"), Description("Where to do it.")] string region) => $"Done in {region}.";

    private static EmbeddedResourceBlock Resource(string uri, string type, string text) =>
        new() { Resource = new TextResourceContents { Uri = uri, MimeType = type, Text = text } };
}
