namespace McpHa.Tests;

/// <summary>What a user chooses.</summary>
/// <param name="Name">The value of <c>-n</c>; empty: none is given, and the output folder's name counts.</param>
public sealed record Choice(string Name)
{
    public int Replicas { get; init; } = 3;

    public string Redis { get; init; } = "container";

    public bool LegacySse { get; init; }

    public string Auth { get; init; } = "none";

    public bool Lab { get; init; } = true;

    public bool Tests { get; init; } = true;

    public bool Samples { get; init; } = true;

    public string Deploy { get; init; } = "none";

    /// <summary>Name of the output folder where no name is given.</summary>
    public string FolderName => "only-a.folder";

    /// <summary>The name that everything has.</summary>
    public string EffectiveName => Name.Length > 0 ? Name : FolderName;

    /// <summary>As they are written on the command line: what is the default is left out.</summary>
    public IReadOnlyList<string> Arguments =>
    [
        .. Name.Length > 0 ? ["-n", Name] : Array.Empty<string>(),
        .. Replicas == 3 ? [] : new[] { "--replicas", $"{Replicas}" },
        .. Redis == "container" ? [] : new[] { "--redis", Redis },
        .. LegacySse ? ["--legacy-sse"] : Array.Empty<string>(),
        .. Auth == "none" ? [] : new[] { "--auth", Auth },
        .. Lab ? [] : new[] { "--no-lab" },
        .. Tests ? [] : new[] { "--no-tests" },
        .. Samples ? [] : new[] { "--no-samples" },
        .. Deploy == "none" ? [] : new[] { "--deploy", Deploy },
    ];

    public override string ToString() => Arguments.Count == 0 ? "nothing but an output folder" : string.Join(' ', Arguments);
}
