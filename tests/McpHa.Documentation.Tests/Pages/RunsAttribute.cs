namespace McpHa.Tests.Pages;

/// <summary>A class of tests that runs blocks of a page itself: all of it, or those that name the class in a remark.</summary>
/// <param name="page">The page, from the root.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class RunsAttribute(string page) : Attribute
{
    public string Page { get; } = page;

    /// <summary>Whether all blocks of the page are its own.</summary>
    public bool All { get; init; }

    /// <summary>The class that runs a block; null: there is none.</summary>
    public static Type? ClassOf(Block block) => typeof(RunsAttribute).Assembly.GetTypes().FirstOrDefault(type =>
        type.GetCustomAttributes(typeof(RunsAttribute), inherit: false).Cast<RunsAttribute>().Any(runs => runs.Page == block.Page && (runs.All || block.RunBy == type.Name)));
}
