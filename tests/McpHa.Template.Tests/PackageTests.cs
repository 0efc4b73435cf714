using System.IO.Compression;
using System.Xml.Linq;

namespace McpHa.Tests;

/// <summary>The packages that <c>eng/pack.sh</c> makes.</summary>
[Collection(TemplateCollection.Name)]
public sealed class PackageTests(TemplateFixture template)
{
    private static readonly string[] _libraries =
        ["Mcp.HighAvailability", "Mcp.HighAvailability.Redis", "Mcp.HighAvailability.Balancer", "Mcp.HighAvailability.Hosting"];

    private const string Tool = "Mcp.HighAvailability.Lab";

    public static TheoryData<string> Libraries => [.. _libraries];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_library_has_documentation_a_readme_symbols_and_one_version(string id)
    {
        var files = Files(id, ".nupkg");

        Assert.Contains($"lib/net10.0/{id}.dll", files);
        Assert.Contains($"lib/net10.0/{id}.xml", files);
        Assert.Contains("README.md", files);
        Assert.Contains($"lib/net10.0/{id}.pdb", Files(id, ".snupkg"));

        // Libraries use internals of each other: only equal versions work together.
        var own = Manifest(id).Descendants().Where(e => e.Name.LocalName == "dependency" && ((string)e.Attribute("id")!).StartsWith("Mcp.HighAvailability", StringComparison.Ordinal));
        Assert.All(own, dependency => Assert.Equal($"[{template.Version}]", (string)dependency.Attribute("version")!));
    }

    [Fact(Explicit = true)]
    public async Task A_release_is_built_apart_and_has_the_same_packages()
    {
        var folder = template.NewFolder("release");

        await template.PackAsync($"{template.Version}.2", folder, build: true);

        Assert.Equal(
            Directory.GetFiles(template.Packages).Select(file => Path.GetFileName(file).Replace(template.Version, $"{template.Version}.2", StringComparison.Ordinal)).Order(),
            Directory.GetFiles(folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void The_tool_holds_the_programs_that_it_runs()
    {
        var files = Files(Tool, ".nupkg");

        Assert.Contains("tools/net10.0/any/DotnetToolSettings.xml", files);
        Assert.Contains("tools/net10.0/any/server/McpHa.Server.dll", files);
        Assert.Contains("tools/net10.0/any/balancer/McpHa.Balancer.dll", files);
        Assert.Contains("README.md", files);
    }

    [Fact]
    public void The_template_brings_the_packages_and_no_build_output()
    {
        var files = Files("Mcp.HighAvailability.Template", ".nupkg");

        Assert.All([.. _libraries, Tool], id => Assert.Contains($"content/artifacts/packages/{id}.{template.Version}.nupkg", files));
        Assert.Contains("content/.template.config/template.json", files);
        Assert.DoesNotContain(files, file => file.Contains("/bin/", StringComparison.Ordinal) || file.Contains("/obj/", StringComparison.Ordinal));
    }

    private string File(string id, string extension) => Path.Combine(template.Packages, $"{id}.{template.Version}{extension}");

    private List<string> Files(string id, string extension)
    {
        using var package = ZipFile.OpenRead(File(id, extension));
        return [.. package.Entries.Select(entry => entry.FullName)];
    }

    private XDocument Manifest(string id)
    {
        using var package = ZipFile.OpenRead(File(id, ".nupkg"));
        using var manifest = package.GetEntry($"{id}.nuspec")!.Open();
        return XDocument.Load(manifest);
    }
}
