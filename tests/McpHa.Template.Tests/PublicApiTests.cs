using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>
/// The public API of each library is the one that its PublicAPI files list, so a change shows in the diff. <c>UPDATE_SNAPSHOTS=1 ./test PublicApiTests</c> writes
/// changes into <c>PublicAPI.Unshipped.txt</c>.
/// </summary>
public sealed partial class PublicApiTests
{
    private const string Undeclared = "RS0016";
    private const string Missing = "RS0017";

    [Theory]
    [MemberData(nameof(PackageTests.Libraries), MemberType = typeof(PackageTests))]
    public async Task The_public_API_is_the_declared_one(string library)
    {
        var folder = Path.Combine(Repository.Root, "src", library);

        // What the analyzers said when the library was compiled.
        var log = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "obj", "api.sarif")))!;
        var said = log["runs"]![0]!["results"]!.AsArray().Select(result => (Rule: (string)result!["ruleId"]!, Text: (string)result["message"]!["text"]!)).ToList();
        var added = Symbols(said, Undeclared);
        var removed = Symbols(said, Missing);
        if (Environment.GetEnvironmentVariable("UPDATE_SNAPSHOTS") == "1")
            await UpdateAsync(Path.Combine(folder, "PublicAPI.Unshipped.txt"), added, removed);

        Assert.Empty(added);
        Assert.Empty(removed);
    }

    private static SortedSet<string> Symbols(IEnumerable<(string Rule, string Text)> said, string rule) =>
        new(said.Where(one => one.Rule == rule).Select(one => Symbol().Match(one.Text).Groups[1].Value), StringComparer.Ordinal);

    private static async Task UpdateAsync(string file, SortedSet<string> added, SortedSet<string> removed)
    {
        var lines = await File.ReadAllLinesAsync(file);
        await File.WriteAllLinesAsync(file, [lines[0], .. lines.Skip(1).Except(removed).Union(added).Order(StringComparer.Ordinal)]);
    }

    [GeneratedRegex("'(.*)'")]
    private static partial Regex Symbol();
}
