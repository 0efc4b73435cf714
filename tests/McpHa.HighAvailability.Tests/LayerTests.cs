using Mcp.HighAvailability;
using NetArchTest.Rules;

namespace McpHa.Tests;

/// <summary>The folders of the library are layers: lower ones never use higher ones.</summary>
public sealed class LayerTests
{
    // From the lowest to the highest. The library's own namespace puts them together and stands above all.
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

    private static string Namespace(string layer) => $"Mcp.HighAvailability.{layer}";
}
