using System.Text.RegularExpressions;
using McpHa.Tests.Commands;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>The rights that the page on security gives to the library's Redis user are rights, and the very ones that the contract tests run with.</summary>
public sealed partial class SecurityPageTests : IAsyncLifetime
{
    private readonly RedisServer _redis = new();

    public ValueTask InitializeAsync() => _redis.InitializeAsync();

    public ValueTask DisposeAsync() => _redis.DisposeAsync();

    [Fact]
    public async Task Redis_takes_the_rights_of_the_page()
    {
        RedisServer.SkipIfMissing();
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        await using var shell = new Shell(Page.Root);

        var answer = await shell.RunAsync($"redis-cli -p {_redis.Port} {string.Join(' ', Rules.Select(rule => $"'{rule}'"))}");

        Assert.Equal(["OK"], answer);
    }

    [Fact]
    public void They_are_those_that_the_contract_tests_run_with()
    {
        var tests = File.ReadAllText(Directory.EnumerateFiles(Path.Combine(Page.Root, "tests"), "RestrictedUserTests.cs", SearchOption.AllDirectories).Single());
        var tested = Rule().Matches(tests).Select(match => match.Groups[1].Value).ToHashSet();

        Assert.Equal(tested.Order(StringComparer.Ordinal), Rules.Where(rule => rule[0] is '~' or '&' or '-' or '+').Order(StringComparer.Ordinal));
    }

    private static string[] Rules => Page.Blocks("docs/security.md").Single(block => block.Language == "redis").Text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex("\"([~&+-](?!-)[^\" ]+)\"")]
    private static partial Regex Rule();
}
