namespace McpHa.Tests;

/// <summary>Combinations of options: every value of one with every value of every other.</summary>
internal static class Choices
{
    /// <summary>Names that users give, and files, namespaces or Aspire cannot all take as they are.</summary>
    public static readonly string[] Names = ["Contoso.Tools", "my-app", "9lives", ".StartWithDot", "Ünïcode", ""];

    public static readonly Choice[] Pairwise =
    [
        new("Contoso.Tools"),
        new(".StartWithDot") { Replicas = 5, Redis = "existing", LegacySse = true, Auth = "jwt", Lab = false, Tests = false, Deploy = "compose" },
        new("my-app") { Auth = "jwt", Lab = false, Tests = false, Samples = false, Deploy = "kubernetes" },
        new("9lives") { Replicas = 5, Redis = "existing", LegacySse = true, Samples = false, Deploy = "kubernetes" },
        new("Ünïcode") { Replicas = 5, LegacySse = true, Auth = "jwt", Lab = false, Samples = false },
        new("Ünïcode") { Redis = "existing", Tests = false, Deploy = "compose" },
        new("") { LegacySse = true, Auth = "jwt", Samples = false, Deploy = "compose" },
        new("my-app") { Replicas = 5, Redis = "existing", LegacySse = true, Lab = false },
        new("") { Replicas = 5, Redis = "existing", Lab = false, Tests = false },
        new("9lives") { Auth = "jwt", Lab = false, Tests = false },
        new(".StartWithDot") { Samples = false },
        new("Contoso.Tools") { Replicas = 5, Redis = "existing", LegacySse = true, Auth = "jwt", Lab = false, Tests = false, Samples = false, Deploy = "compose" },
        new(".StartWithDot") { Redis = "existing", Auth = "jwt", Lab = false, Deploy = "kubernetes" },
        new("my-app") { Replicas = 5, LegacySse = true, Auth = "jwt", Samples = false, Deploy = "compose" },
        new("") { Redis = "existing", Auth = "jwt", Deploy = "kubernetes" },
        new("9lives") { Redis = "existing", Lab = false, Tests = false, Samples = false, Deploy = "compose" },
        new("Contoso.Tools") { Redis = "existing", Lab = false, Tests = false, Samples = false, Deploy = "kubernetes" },
        new("Ünïcode") { Auth = "jwt", Samples = false, Deploy = "kubernetes" },
    ];

    /// <summary>The values of the options, one list per option.</summary>
    public static readonly (string Option, object[] Values, Func<Choice, object> Of)[] Options =
    [
        ("name", [.. Names], choice => choice.Name),
        ("--replicas", [3, 5], choice => choice.Replicas),
        ("--redis", ["container", "existing"], choice => choice.Redis),
        ("--legacy-sse", [false, true], choice => choice.LegacySse),
        ("--auth", ["none", "jwt"], choice => choice.Auth),
        ("--lab", [true, false], choice => choice.Lab),
        ("--tests", [true, false], choice => choice.Tests),
        ("--samples", [true, false], choice => choice.Samples),
        ("--deploy", ["none", "compose", "kubernetes"], choice => choice.Deploy),
    ];
}
