using System.ComponentModel;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>A server with arguments of every type, for tests of what clients send.</summary>
internal static class WireServer
{
    public static void Add(IMcpServerBuilder server) => server.WithTools<Tools>().WithPrompts<Prompts>().WithResources<Resources>();

    internal enum Colour
    {
        Red,
        Green,
    }

    internal sealed record Box(int Width, string? Label = null);

    [McpServerToolType]
    internal sealed class Tools
    {
        [McpServerTool(Name = "typed")]
        public static string Typed(int count, long? large = null, double share = 0, bool on = false, string text = "", int[]? list = null, Box? box = null, Colour colour = Colour.Red) =>
            FormattableString.Invariant($"{count} {large} {share} {on} {text} {string.Join('+', list ?? [])} {box?.Width} {colour}");

        [McpServerTool(Name = "broken")]
        public static string Broken() => throw new ArgumentException("secret");
    }

    [McpServerPromptType]
    internal sealed class Prompts
    {
        [McpServerPrompt(Name = "greet"), Description("Greets.")]
        public static string Greet(string name, int times = 1) => $"{name} {times}";
    }

    [McpServerResourceType]
    internal sealed class Resources
    {
        [McpServerResource(UriTemplate = "test://number/{number}", Name = "number")]
        public static string Number(int number) => $"{number}";
    }
}
