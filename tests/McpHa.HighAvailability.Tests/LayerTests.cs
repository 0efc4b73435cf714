using System.Text.RegularExpressions;
using Mcp.HighAvailability;
using NetArchTest.Rules;

namespace McpHa.Tests;

/// <summary>The folders of the library are layers: lower ones never use higher ones.</summary>
public sealed partial class LayerTests
{
    // From the lowest to the highest. The library's own namespace is no layer of this list: its options, attributes and contracts are a base that all may use,
    // its extension methods put the layers together.
    private static readonly string[] _layers =
        ["Timing", "Protocol", "Diagnostics", "Security", "Storage", "Limits", "Affinity", "Cluster", "Broadcast", "Relay", "Sessions", "Tasks", "Http"];

    public static TheoryData<string> Layers => [.. _layers];

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_uses_no_layer_above_it(string layer)
    {
        var higher = _layers.SkipWhile(name => name != layer).Skip(1).Select(Namespace).ToArray();
        if (higher.Length == 0)
            return;

        var found = Types.InAssembly(typeof(HighAvailabilityOptions).Assembly)
            .That().ResideInNamespace(Namespace(layer))
            .ShouldNot().HaveDependencyOnAny(higher)
            .GetResult();

        Assert.True(found.IsSuccessful, $"{layer} uses a layer above it: {string.Join(", ", found.FailingTypeNames ?? [])}");
    }

    // Also for what the compiler leaves no trace of: constants, and references of comments.
    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_names_no_layer_above_it(string layer)
    {
        var higher = _layers.SkipWhile(name => name != layer).Skip(1).ToHashSet();
        var files = Directory.GetFiles(Path.Combine(Library(), layer), "*.cs", SearchOption.AllDirectories);

        Assert.NotEmpty(files);
        Assert.Empty(files.SelectMany(file => Using().Matches(File.ReadAllText(file))
            .Where(match => higher.Contains(match.Groups[1].Value))
            .Select(match => $"{Path.GetFileName(file)}: {match.Value}")));
    }

    [Fact]
    public void Every_folder_is_a_layer()
    {
        var namespaces = typeof(HighAvailabilityOptions).Assembly.GetTypes()
            .Select(type => type.Namespace ?? "")
            .Where(name => name.StartsWith("Mcp.HighAvailability.", StringComparison.Ordinal))
            .Select(name => name.Split('.')[2])
            .Distinct().Order();

        Assert.Equal(_layers.Order(), namespaces);
    }

    private static string Library()
    {
        var folder = AppContext.BaseDirectory;
        while (!Directory.Exists(Path.Combine(folder, "src", "Mcp.HighAvailability")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The library is in no folder above the tests.");
        return Path.Combine(folder, "src", "Mcp.HighAvailability");
    }

    [GeneratedRegex(@"^(?:global )?using (?:static |\w+ = )?Mcp\.HighAvailability\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex Using();

    private static string Namespace(string layer) => $"Mcp.HighAvailability.{layer}";
}
