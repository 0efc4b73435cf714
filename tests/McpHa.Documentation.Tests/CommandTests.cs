using System.Text.RegularExpressions;
using McpHa.Tests.Commands;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>
/// Every command of every page is run, or checked in short form. A block of commands is run as it is written, in the root, each command in its
/// <see cref="ShortForm"/> if it has one. A remark before the block says otherwise:
/// <c>&lt;!-- run by Tests --&gt;</c> names a class here that runs it, <c>&lt;!-- not run: reason --&gt;</c> says why nothing can.
/// </summary>
public sealed partial class CommandTests
{
    private static readonly string[] Languages =
        ["bash", "console", "powershell", "text", "csharp", "json", "diff", "xml", "yaml", "ini", "nginx", "mermaid", "redis"];

    // What a line of PowerShell may be, beside a command that bash would run likewise.
    private const string PowerShellOnly = @"^\$env:\w+ = "".*""$|^Start-Process dotnet ";

    public static TheoryData<string> RunHere => [.. Commands.Where(block => block.NotRun is null && RunsAttribute.ClassOf(block) is null).Select(block => block.ToString())];

    public static TheoryData<string> NotRun => [.. Commands.Where(block => block.NotRun is not null).Select(block => block.ToString())];

    private static IEnumerable<Block> Commands => Page.Blocks().Where(block => block.IsCommands && !block.IsPowerShell);

    [Fact]
    public void Every_block_says_what_is_in_it() =>
        Assert.DoesNotContain(Page.Blocks(), block => !Languages.Contains(block.Language));

    [Fact]
    public void Every_class_that_a_block_is_run_by_runs_it() =>
        Assert.DoesNotContain(Page.Blocks(), block => block.RunBy is not null && RunsAttribute.ClassOf(block)?.Name != block.RunBy);

    [Theory]
    [MemberData(nameof(RunHere))]
    public async Task Commands_of_the_pages_run(string place)
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        var block = Commands.Single(block => block.ToString() == place);
        await using var shell = new Shell(Page.Root);

        Assert.NotEmpty(block.Commands);
        if (block.Language != "console" && block.Commands.All(command => ShortForm.Of(command) is null))
        {
            await shell.RunAsync(block.Text);
            return;
        }

        foreach (var command in block.Commands)
            await (ShortForm.Of(command)?.Invoke(shell) ?? shell.RunAsync(command));
    }

    [Theory]
    [MemberData(nameof(NotRun))]
    public async Task Commands_that_nothing_can_run_here_are_well_formed_and_say_why(string place)
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        var block = Commands.Single(block => block.ToString() == place);
        await using var shell = new Shell(Page.Root);

        Assert.True(block.NotRun!.Length > 10, "A reason, please.");
        await shell.RunAsync($"bash -n <<'BLOCK'\n{block.Text}\nBLOCK");
        foreach (var command in block.Commands)
            await (ShortForm.Of(command)?.Invoke(shell) ?? Task.CompletedTask);
    }

    // There is no PowerShell here: its blocks hold only commands of dotnet and docker that are read as those of bash are, and variables.
    [Fact]
    public async Task Commands_of_PowerShell_are_those_of_bash()
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        await using var shell = new Shell(Page.Root);
        var commands = Page.Blocks().Where(block => block.IsPowerShell).SelectMany(block => block.Commands).ToArray();

        Assert.NotEmpty(commands);
        foreach (var command in commands.Where(command => !Regex.IsMatch(command, PowerShellOnly)))
            await (ShortForm.Of(command) ?? throw new InvalidOperationException($"'{command}' is no command of dotnet that is known here.")).Invoke(shell);
    }

    // Such as `./run --lab`, `chaos --direct`, `eng/pack.sh`.
    [Theory]
    [MemberData(nameof(DocumentationTests.Pages), MemberType = typeof(DocumentationTests))]
    public async Task Commands_in_sentences_are_understood(string page)
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        var commands = InlineCommand().Matches(Page.Read(page)).Select(match => match.Groups[1].Value).Distinct();
        await using var shell = new Shell(Page.Root);

        foreach (var command in commands)
            await (ShortForm.Of(command)?.Invoke(shell) ?? shell.RunAsync($"test -e {command.Split(' ')[0]}"));
    }

    [GeneratedRegex(@"`((?:\./(?:run|test)|eng/[\w.-]+\.sh|dotnet (?:run --project|test|publish) McpHa|dotnet new (?:install|mcp-ha)|(?:up|kill|chaos|bench) --)[^`\n]*)`")]
    private static partial Regex InlineCommand();
}
