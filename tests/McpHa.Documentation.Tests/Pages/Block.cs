namespace McpHa.Tests.Pages;

/// <summary>A fenced block of a page.</summary>
/// <param name="Page">The page, from the root.</param>
/// <param name="Line">Line of the opening fence.</param>
/// <param name="Language">What follows the fence; empty where nothing does.</param>
/// <param name="Text">What is inside.</param>
/// <param name="File">The file that it is the content of: named in backquotes, with a colon, on the line before. Null: none.</param>
/// <param name="Remark">The comment (<c>&lt;!-- … --&gt;</c>) on the line before. Null: none.</param>
public sealed record Block(string Page, int Line, string Language, string Text, string? File, string? Remark)
{
    private const string NotRunPrefix = "not run:";
    private const string Prompt = "$ ";
    private const string RunByPrefix = "run by ";

    /// <summary>Whether it holds commands for a shell.</summary>
    public bool IsCommands => Language is "bash" or "sh" or "shell" or "console" or "powershell";

    /// <summary>Whether its commands are for PowerShell.</summary>
    public bool IsPowerShell => Language == "powershell";

    /// <summary>Why no test can run it; null: one does.</summary>
    public string? NotRun => Remark?.StartsWith(NotRunPrefix, StringComparison.Ordinal) == true ? Remark[NotRunPrefix.Length..].Trim() : null;

    /// <summary>The class of tests that runs it; null: <see cref="CommandTests"/>.</summary>
    public string? RunBy => Remark?.StartsWith(RunByPrefix, StringComparison.Ordinal) == true ? Remark[RunByPrefix.Length..].Trim() : null;

    /// <summary>Its commands, one per line: continued lines joined, comments and empty lines left out, and of a console what it says.</summary>
    public IEnumerable<string> Commands =>
        from line in Text.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n')
        where Language != "console" || line.StartsWith(Prompt, StringComparison.Ordinal)
        let command = (Language == "console" ? line[Prompt.Length..] : line).Split(" #")[0].Trim()
        where command.Length > 0 && !command.StartsWith('#')
        select command;

    public override string ToString() => $"{Page}:{Line}";
}
