using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace McpHa.Tests;

/// <summary>A generated solution.</summary>
/// <param name="choice">Its options.</param>
/// <param name="folder">Its folder.</param>
public sealed class GeneratedTree(Choice choice, string folder)
{
    public Choice Choice { get; } = choice;

    public string Folder { get; } = folder;

    /// <summary>Paths of all files, with <c>/</c>, in order.</summary>
    public IReadOnlyList<string> Files { get; } =
    [
        .. Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Paths of the project files.</summary>
    public IEnumerable<string> Projects => Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal));

    public string FullPath(string file) => Path.Combine(Folder, file);

    /// <summary>The text of a file; <c>*</c> stands for the name.</summary>
    public string Read(string file) => File.ReadAllText(FullPath(file.Replace("*", Choice.EffectiveName, StringComparison.Ordinal)));

    public bool Has(string file) => Files.Contains(file.Replace("*", Choice.EffectiveName, StringComparison.Ordinal));

    /// <summary>Values of an attribute of all elements of a kind in an MSBuild or solution file.</summary>
    public IEnumerable<string> Values(string file, string element, string attribute) =>
        XDocument.Load(FullPath(file)).Descendants(element).Select(e => (string?)e.Attribute(attribute)).OfType<string>();

    /// <summary>Files with their text, of those that hold text.</summary>
    public IEnumerable<(string File, string Text)> Texts => Files.Where(file => !file.EndsWith(".nupkg", StringComparison.Ordinal)).Select(file => (file, Read(file)));

    /// <summary>All matches of a pattern in the C# files.</summary>
    public IEnumerable<(string File, Match Match)> InCode(Regex pattern) =>
        Files.Where(file => file.EndsWith(".cs", StringComparison.Ordinal)).SelectMany(file => pattern.Matches(Read(file)).Select(match => (file, match)));
}
