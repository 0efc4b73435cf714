using System.Text.Json;
using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>Every solution is complete, whatever its options and its name, and names nothing of this repository.</summary>
[Collection(TemplateCollection.Name)]
public sealed partial class TreeTests(TemplateFixture template)
{
    public static TheoryData<int> Pairwise => [.. Enumerable.Range(0, Choices.Pairwise.Length)];

    [Theory]
    [MemberData(nameof(Pairwise))]
    public async Task The_solution_is_complete_and_clean(int number)
    {
        var tree = await template.GenerateAsync(Choices.Pairwise[number]);

        Assert.Empty(Leftovers(tree));
        Assert.Empty(MissingFiles(tree));
        Assert.Empty(Packages(tree));
        Assert.Empty(Namespaces(tree));
        Assert.Empty(AspireNames(tree));
        Assert.Empty(BrokenJson(tree));
    }

    private static IEnumerable<string> Leftovers(GeneratedTree tree) =>
        from text in tree.Texts
        from match in Forbidden().Matches($"{text.File}\n{text.Text}")
        select $"{text.File}: {match.Value}";

    // Projects, solution, Aspire's configuration and README refer to files that exist.
    private static IEnumerable<string> MissingFiles(GeneratedTree tree)
    {
        var solution = tree.Choice.EffectiveName + ".slnx";
        foreach (var path in tree.Values(solution, "Project", "Path").Concat(tree.Values(solution, "File", "Path")).Where(path => !tree.Files.Contains(path)))
            yield return $"{solution}: {path}";
        foreach (var project in tree.Projects.Where(project => !tree.Values(solution, "Project", "Path").Contains(project)))
            yield return $"{solution} lacks {project}";
        foreach (var project in tree.Projects)
        {
            foreach (var path in tree.Values(project, "ProjectReference", "Include").Where(path => !File.Exists(Path.Combine(tree.Folder, Path.GetDirectoryName(project)!, path))))
                yield return $"{project}: {path}";
        }

        using var aspire = JsonDocument.Parse(tree.Read("aspire.config.json"));
        var host = aspire.RootElement.GetProperty("appHost").GetProperty("path").GetString()!;
        if (!tree.Files.Contains(host))
            yield return $"aspire.config.json: {host}";
        foreach (Match match in NamedFolder().Matches(tree.Read("README.md")))
        {
            if (!Path.Exists(tree.FullPath(match.Groups[1].Value)))
                yield return $"README.md: {match.Value}";
        }

        foreach (var (file, text) in tree.Texts)
        {
            foreach (Match match in Page().Matches(text))
                yield return $"{file}: {match.Value}";
        }
    }

    // There is a central version for each package that is used, and for no other.
    private static IEnumerable<string> Packages(GeneratedTree tree)
    {
        var used = tree.Projects.SelectMany(project => tree.Values(project, "PackageReference", "Include")).ToHashSet();
        var versions = tree.Values("Directory.Packages.props", "PackageVersion", "Include").ToHashSet();
        return [.. used.Except(versions).Select(name => $"no version: {name}"), .. versions.Except(used).Select(name => $"not used: {name}")];
    }

    // Every namespace is valid in C#, and every namespace that is used is declared.
    private static IEnumerable<string> Namespaces(GeneratedTree tree)
    {
        var declared = tree.InCode(Namespace()).Select(found => found.Match.Groups[1].Value).ToHashSet();
        // Extension methods are declared in the namespace of what they extend.
        var own = declared.Where(name => !name.StartsWith("Microsoft.", StringComparison.Ordinal) && !name.StartsWith("Aspire.", StringComparison.Ordinal)).ToHashSet();
        var roots = own.Select(name => name[..RootLength(name)]).Distinct().ToList();
        if (roots.Count != 1)
            yield return $"several roots: {string.Join(", ", roots)}";
        foreach (var name in own.Where(name => !Identifiers().IsMatch(name)))
            yield return $"no namespace: {name}";
        foreach (var (file, match) in tree.InCode(Using()).Where(found => found.Match.Groups[1].Value.StartsWith(roots[0] + ".", StringComparison.Ordinal)))
        {
            var used = match.Groups[1].Value;
            if (!declared.Contains(used) && !declared.Contains(used[..used.LastIndexOf('.')]))
                yield return $"{file}: {used}";
        }

        int RootLength(string name) => Parts.Select(part => name.IndexOf(part, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(name.Length).Min();
    }

    private static readonly string[] Parts = [".AppHost", ".Balancer", ".Server", ".ServiceDefaults", ".Tests"];

    // Aspire generates a class for every project that the AppHost refers to: the file name, with characters replaced that no identifier can have.
    private static IEnumerable<string> AspireNames(GeneratedTree tree)
    {
        var host = tree.Projects.Single(project => project.EndsWith(".AppHost.csproj", StringComparison.Ordinal));
        var made = tree.Values(host, "ProjectReference", "Include").Select(path => AspireClass().Replace(Path.GetFileNameWithoutExtension(path), "_")).ToHashSet();
        var used = tree.InCode(AspireProject()).Where(found => found.File.Contains(".AppHost/", StringComparison.Ordinal)).Select(found => found.Match.Groups[1].Value).ToHashSet();
        return used.Count == 0 ? ["the AppHost names no project"] : [.. used.Except(made), .. made.Except(used)];
    }

    private static IEnumerable<string> BrokenJson(GeneratedTree tree)
    {
        foreach (var file in tree.Files.Where(file => file.EndsWith(".json", StringComparison.Ordinal)))
        {
            string? error = null;
            try
            {
                using var _ = JsonDocument.Parse(tree.Read(file), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
            }
            catch (JsonException e)
            {
                error = $"{file}: {e.Message}";
            }

            if (error is not null)
                yield return error;
        }
    }

    // The repository's own name and files, and what the template engine should have removed.
    [GeneratedRegex("""McpHa(?!vailability)|[Cc]onformance|eng/|\.\./src/|#if \(|#else\b|#endif|-:cnd|failover-sample|5f4b0d5e""")]
    private static partial Regex Forbidden();

    [GeneratedRegex(@"`((?!/)[^`\s]*(?:/[^`\s]+|\.(?:Server|AppHost|Balancer|ServiceDefaults|Tests)))`")]
    private static partial Regex NamedFolder();

    [GeneratedRegex(@"(?<!blob/main/)docs/[\w.-]+")]
    private static partial Regex Page();

    [GeneratedRegex(@"^namespace ([^;\s]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?([^;\s]+);", RegexOptions.Multiline)]
    private static partial Regex Using();

    [GeneratedRegex(@"^@?[\p{L}_]\w*(\.@?[\p{L}_]\w*)*$")]
    private static partial Regex Identifiers();

    [GeneratedRegex(@"Projects\.(\w+)")]
    private static partial Regex AspireProject();

    [GeneratedRegex(@"((?<=\.)|^)(?=\d)|\W")]
    private static partial Regex AspireClass();
}
