using YamlDotNet.RepresentationModel;

namespace McpHa.Tests.Pages;

/// <summary>YAML, and ways into it.</summary>
internal static class Yaml
{
    /// <summary>The documents of a file.</summary>
    public static YamlNode[] Read(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(document => document.RootNode)];
    }

    /// <summary>What is at a path of keys; null: nothing.</summary>
    public static YamlNode? At(this YamlNode? node, params string[] path) => path.Aggregate(node, static (at, key) =>
        at is YamlMappingNode mapping && mapping.Children.TryGetValue(key, out var child) ? child : null);

    public static string? Text(this YamlNode? node) => (node as YamlScalarNode)?.Value;

    public static IEnumerable<YamlNode> Items(this YamlNode? node) => node as YamlSequenceNode ?? [];

    public static IEnumerable<(string Key, YamlNode Value)> Pairs(this YamlNode? node) =>
        (node as YamlMappingNode)?.Children.Select(pair => (pair.Key.Text()!, pair.Value)) ?? [];
}
