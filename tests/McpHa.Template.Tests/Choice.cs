namespace McpHa.Tests;

/// <summary>The options of one solution.</summary>
/// <param name="Name">The value of <c>-n</c>. If it is empty, the name of the output folder counts.</param>
public sealed record Choice(string Name)
{
    public int Replicas { get; init; } = 3;

    public string Store { get; init; } = "container";

    public string Auth { get; init; } = "none";

    public string Deploy { get; init; } = "none";

    public bool Samples { get; init; } = true;

    public bool Tests { get; init; } = true;

    /// <summary>Name of the output folder where no name is given.</summary>
    public string FolderName => "only-a.folder";

    /// <summary>The name that replaces the repository's own.</summary>
    public string EffectiveName => Name.Length > 0 ? Name : FolderName;

    /// <summary>The command line, without options that have their default value.</summary>
    public IReadOnlyList<string> Arguments =>
    [
        .. Name.Length > 0 ? ["-n", Name] : Array.Empty<string>(),
        .. Replicas == 3 ? [] : new[] { "--replicas", $"{Replicas}" },
        .. Store == "container" ? [] : new[] { "--store", Store },
        .. Auth == "none" ? [] : new[] { "--auth", Auth },
        .. Deploy == "none" ? [] : new[] { "--deploy", Deploy },
        .. Samples ? [] : new[] { "--samples", "false" },
        .. Tests ? [] : new[] { "--tests", "false" },
    ];

    public override string ToString() => Arguments.Count == 0 ? "an output folder only" : string.Join(' ', Arguments);
}
