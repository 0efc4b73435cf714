using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Bench;
using Mcp.HighAvailability.Lab.Chaos;
using Mcp.HighAvailability.Lab.Kill;
using Mcp.HighAvailability.Lab.Up;
using McpHa.Tests.Pages;

namespace McpHa.Tests.Commands;

/// <summary>How a command is tested that takes minutes, or runs until it is stopped. Everything else is run as it is written.</summary>
internal static partial class ShortForm
{
    // What the pages call the project that a user makes.
    private const string MadeProject = "Contoso.Tools";

    // Commands of the lab as they stand in sentences: "chaos --direct".
    private static readonly string[] LabCommands = ["up", KillCommand.Name, ChaosCommand.Name, "bench"];

    private static readonly (Regex Pattern, Func<Match, Shell, Task> Test)[] Rules =
    [
        // The lab: its own command line reads the arguments. That they do what they say is for UpTests, ChaosTests and BenchTests.
        (LabCommand(), (match, _) => Task.Run(() => ReadByLab(match))),

        // The tool as a generated solution has it.
        (ToolCommand(), (match, _) => Task.Run(() => ReadByLab(match))),

        // ./run and the program behind it: the help. The cluster itself is for FirstSessionTests, UpTests and the AppHost's tests.
        (LabScript(), (match, _) => Task.Run(() => ReadByLab(match))),
        (RunScript(), (_, shell) => shell.RunAsync("./run --help")),
        (Program(), (match, _) => Task.Run(() => Exists(match.Groups["path"].Value))),

        // Tests: this one is among them. What is named must be there.
        (TestScript(), (match, _) => Task.Run(() => IsTested(match.Groups["filter"].Value))),
        (TestProject(), (match, _) => Task.Run(() => Exists(match.Groups["path"].Value))),

        // The template, which McpHa.Template.Tests installs and runs: its package and options must be there, and the project that it makes has the parts of this one.
        (TemplateInstallation(), (match, _) => Task.Run(() => IsTemplate(match.Groups["package"].Value))),
        (TemplateUse(), (match, _) => Task.Run(() => AreOptions(match.Groups["options"].Value))),
        (MadeFolder(), (_, _) => Task.CompletedTask),
        (PackScript(), (_, shell) => shell.RunAsync("eng/pack.sh --help")),

        // A publication: MSBuild reads the command, and says what it would do.
        (Publication(), EvaluateAsync),
    ];

    /// <summary>The test of a command in its short form; null: it is to be run as it is.</summary>
    public static Func<Shell, Task>? Of(string command) => Rules
        .Select(rule => (Match: rule.Pattern.Match(command), rule.Test))
        .Where(rule => rule.Match.Success)
        .Select(rule => (Func<Shell, Task>)(shell => rule.Test(rule.Match, shell)))
        .FirstOrDefault();

    private static void ReadByLab(Match match)
    {
        if (match.Groups["path"] is { Success: true, Value: var project })
            Exists(project);
        var root = new RootCommand { UpCommand.Create(), KillCommand.Create(), ChaosCommand.Create(), BenchCommand.Create() };
        var arguments = match.Groups["arguments"].Value.Replace("…", "", StringComparison.Ordinal);
        if (match.Groups["script"] is { Success: true, Value: var script })
            arguments = script.Split("--")[1].Replace("lab", "up", StringComparison.Ordinal) + arguments;
        var errors = root.Parse(arguments).Errors.Select(error => error.Message);

        // In a sentence a file stands for one that a user has.
        Assert.DoesNotContain(errors, error => !error.Contains("does not exist", StringComparison.OrdinalIgnoreCase));
        Assert.Contains(arguments.Split(' ')[0], LabCommands);
    }

    private static void Exists(string path)
    {
        if (path.Contains(MadeProject, StringComparison.Ordinal))
            path = Path.GetFileName(path).Replace(MadeProject, Path.GetFileNameWithoutExtension(Directory.GetFiles(Page.Root, "*.sln").Single()), StringComparison.Ordinal);
        Assert.True(Path.Exists(Path.Combine(Page.Root, path)), $"There is no {path}.");
    }

    private static void IsTemplate(string package) => Assert.True(
        File.Exists(Path.Combine(Page.Root, "eng", "template", $"{package.Split('/')[^1].Split(".*")[0]}.csproj")),
        $"There is no template package {package}.");

    private static void AreOptions(string options)
    {
        var hosts = JsonNode.Parse(File.ReadAllText(Path.Combine(Page.Root, ".template.config", "dotnetcli.host.json")))!["symbolInfo"]!.AsObject();
        string[] known = ["--help", "--name", "--output", .. hosts.Select(symbol => $"--{symbol.Value!["longName"]}")];
        Assert.DoesNotContain(OptionName().Matches(options).Select(match => match.Value), option => !known.Contains(option));
    }

    private static void IsTested(string filter)
    {
        Exists("test");
        if (filter.Length == 0 || filter.StartsWith('-') || filter.StartsWith('['))
            return;
        var names = Directory.EnumerateFiles(Path.Combine(Page.Root, "tests"), "*.cs", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension);
        var wanted = FilterWord().Match(filter).Value;
        Assert.Contains(names, name => name!.Contains(wanted, StringComparison.Ordinal));
    }

    private static async Task EvaluateAsync(Match match, Shell shell)
    {
        Exists(match.Groups["path"].Value);
        // Evaluated only: "dotnet publish" would compile everything before it answers.
        var command = PublishVerb().Replace(Target().Replace(match.Value, ""), "dotnet msbuild $1 -p:_IsPublishing=true -p:Configuration=Release ");
        command = OutputOption().Replace(RuntimeOption().Replace(command, " -p:RuntimeIdentifier=$1"), "");
        var evaluated = string.Join('\n', await shell.RunAsync($"{command} -getProperty:PublishReadyToRunComposite -getProperty:SelfContained -getProperty:TieredPGO"));
        Assert.Contains("\"PublishReadyToRunComposite\": \"true\"", evaluated, StringComparison.Ordinal);
        Assert.Contains("\"SelfContained\": \"true\"", evaluated, StringComparison.Ordinal);
        Assert.Contains("\"TieredPGO\": \"false\"", evaluated, StringComparison.Ordinal);
    }

    [GeneratedRegex(@" [-/]t:\S+")]
    private static partial Regex Target();

    [GeneratedRegex(@"^(?:dotnet run --project (?<path>\S*\.Lab)(?: -c \w+| -p:\S+)* -- (?<arguments>.*)|(?<arguments>(?:up|kill|chaos|bench)(?: .*)?))$")]
    private static partial Regex LabCommand();

    [GeneratedRegex(@"^(?<script>\./run --(?:lab|kill))(?<arguments>.*)$")]
    private static partial Regex LabScript();

    [GeneratedRegex(@"^dotnet mcp-ha (?<arguments>.*)$")]
    private static partial Regex ToolCommand();

    [GeneratedRegex(@"^\./run(?: --aspire)?$")]
    private static partial Regex RunScript();

    [GeneratedRegex(@"^dotnet run --project (?<path>\S+)(?: .*)?$")]
    private static partial Regex Program();

    [GeneratedRegex(@"^\./test(?: '?(?<filter>[^']*)'?)?$")]
    private static partial Regex TestScript();

    [GeneratedRegex(@"^dotnet test --(?:project|solution) (?<path>\S+).*$")]
    private static partial Regex TestProject();

    [GeneratedRegex(@"^dotnet new install (?<package>\S+)$")]
    private static partial Regex TemplateInstallation();

    [GeneratedRegex(@"^dotnet new mcp-ha(?<options>(?: .*)?)$")]
    private static partial Regex TemplateUse();

    [GeneratedRegex(@"^cd Contoso\.Tools$")]
    private static partial Regex MadeFolder();

    [GeneratedRegex(@"^eng/pack\.sh(?: .*)?$")]
    private static partial Regex PackScript();

    [GeneratedRegex(@"--[\w-]+")]
    private static partial Regex OptionName();

    [GeneratedRegex(@"^dotnet publish (?<path>\S+) .*$")]
    private static partial Regex Publication();

    [GeneratedRegex(@"^dotnet publish (\S+)")]
    private static partial Regex PublishVerb();

    [GeneratedRegex(@" -r (\S+)")]
    private static partial Regex RuntimeOption();

    [GeneratedRegex(@" -[oc] \S+| --os \S+| --arch \S+")]
    private static partial Regex OutputOption();

    [GeneratedRegex(@"[A-Za-z]+$")]
    private static partial Regex FilterWord();
}
