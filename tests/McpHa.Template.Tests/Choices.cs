namespace McpHa.Tests;

/// <summary>Combinations of options.</summary>
internal static class Choices
{
    /// <summary>All options have their defaults.</summary>
    public static readonly Choice Default = new("Contoso.Tools");

    /// <summary>The fewest files.</summary>
    public static readonly Choice Smallest = new("Contoso.Tools") { Store = "existing", Samples = false, Tests = false };

    /// <summary>
    /// Names that files, namespaces and Aspire cannot all take as they are, and each value of each option with each value of each other option.
    /// </summary>
    public static readonly Choice[] Pairwise =
    [
        Default,
        Smallest,
        new(".StartWithDot") { Replicas = 5, Store = "existing", Auth = "jwt", Samples = false },
        new("my-app") { Store = "embedded", Auth = "jwt", Deploy = "kubernetes", Tests = false },
        new("9lives") { Replicas = 5, Store = "embedded", Samples = false },
        new("Ünïcode") { Replicas = 5, Auth = "jwt", Samples = false, Tests = false },
        new("") { Replicas = 5, Deploy = "compose", Tests = false },
        new("Contoso.Tools") { Replicas = 5, Store = "existing", Auth = "none", Deploy = "kubernetes" },
        new("my-app") { Deploy = "kubernetes", Samples = false },
        new("9lives") { Store = "existing", Auth = "jwt", Deploy = "compose", Samples = false },
        new("Ünïcode") { Store = "embedded", Deploy = "compose" },
        new("") { Replicas = 5, Auth = "jwt", Deploy = "kubernetes", Samples = false },
    ];

    /// <summary>The options with their values.</summary>
    public static readonly (string Option, object[] Values, Func<Choice, object> Of)[] Options =
    [
        ("--replicas", [3, 5], choice => choice.Replicas),
        ("--store", ["container", "existing", "embedded"], choice => choice.Store),
        ("--auth", ["none", "jwt"], choice => choice.Auth),
        ("--deploy", ["none", "compose", "kubernetes"], choice => choice.Deploy),
        ("--samples", [true, false], choice => choice.Samples),
        ("--tests", [true, false], choice => choice.Tests),
    ];
}
