using System.Reflection;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Redis;

namespace McpHa.Tests;

/// <summary>The check at start tries what the library needs.</summary>
public sealed partial class RedisCheckTests
{
    // Of the connection, and of publish and subscribe: the script that tries the others runs on them, or cannot run them.
    private static readonly string[] Untried =
        ["eval", "evalsha", "script|load", "subscribe", "unsubscribe", "ping", "echo", "info", "hello", "client", "cluster|nodes", "config|get"];

    [Fact]
    public void It_tries_every_command_of_the_scripts()
    {
        var used = Scripts().SelectMany(script => Call().Matches(script)).Select(match => match.Groups[1].Value).Where(name => name != "INFO").ToHashSet();

        Assert.Contains("LPUSH", used);
        Assert.Empty(used.Except(Tried()));
    }

    [Fact]
    public void It_tries_every_command_that_a_user_with_the_least_rights_has()
    {
        var rights = RestrictedRedis.Rules.Where(rule => rule[0] == '+').Select(rule => rule[1..]).Except(Untried).Select(name => name.ToUpperInvariant());

        Assert.Equal(rights.Order(), Tried().Order());
    }

    private static HashSet<string> Tried() => [.. Try().Matches(RedisScripts.Check).Select(match => match.Groups[1].Value)];

    private static IEnumerable<string> Scripts() => typeof(RedisScripts).Assembly.GetTypes()
        .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        .Where(field => field.FieldType == typeof(string) && !field.DeclaringType!.ContainsGenericParameters)
        .Select(field => field.GetValue(null) as string ?? "");

    [GeneratedRegex(@"redis\.p?call\('([A-Z]+)'")]
    private static partial Regex Call();

    [GeneratedRegex(@"try\('([A-Z]+)'")]
    private static partial Regex Try();
}
