using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>The effect of each option.</summary>
[Collection(TemplateCollection.Name)]
public sealed partial class OptionTests(TemplateFixture template)
{
    public static TheoryData<int> Pairwise => [.. Enumerable.Range(0, Choices.Pairwise.Length)];

    [Theory]
    [MemberData(nameof(Pairwise))]
    public async Task Every_option_has_its_effect_and_no_other(int number)
    {
        var choice = Choices.Pairwise[number];
        var tree = await template.GenerateAsync(choice);
        var host = tree.Read("*.AppHost/AppHost.cs");

        Assert.Contains($"replicas: {choice.Replicas})", host, StringComparison.Ordinal);
        Assert.Equal(choice.Store == "container", host.Contains("AddMcpStore(\"redis\")", StringComparison.Ordinal));
        Assert.Equal(choice.Store == "existing", host.Contains("McpStoreKind.Existing", StringComparison.Ordinal));
        Assert.Equal(choice.Store == "embedded", host.Contains("McpStoreKind.Garnet", StringComparison.Ordinal));
        var deployment = tree.Has("*.AppHost/Deployment.cs") ? tree.Read("*.AppHost/Deployment.cs") : "";
        Assert.Equal(choice.Deploy != "none", host.Contains("builder.AddDeployment();", StringComparison.Ordinal));
        Assert.Equal(choice.Deploy == "compose", deployment.Contains("AddDockerComposeEnvironment", StringComparison.Ordinal));
        Assert.Equal(choice.Deploy == "kubernetes", deployment.Contains("AddKubernetesEnvironment", StringComparison.Ordinal));

        var server = tree.Read("*.Server/Program.cs");
        Assert.Equal(choice.Auth == "jwt", server.Contains("builder.AddBearerAuthentication();", StringComparison.Ordinal));
        Assert.Equal(choice.Auth == "jwt", server.Contains(".RequireBearer(app)", StringComparison.Ordinal));
        Assert.Equal(choice.Auth == "jwt", tree.Read("*.Server/appsettings.json").Contains("\"Bearer\": {", StringComparison.Ordinal));
        Assert.Equal(choice.Auth == "jwt", tree.Has("*.Server/Authentication/BearerAuthentication.cs"));
        Assert.Contains($"Name = \"{choice.EffectiveName}\"", server, StringComparison.Ordinal);
        var requests = tree.Read("*.Server/*.Server.http").Split('\n');
        Assert.Equal(4, requests.Count(line => line.EndsWith(" {{endpoint}}", StringComparison.Ordinal)));
        Assert.Equal(choice.Auth == "jwt" ? 4 : 0, requests.Count(line => line == "Authorization: Bearer {{token}}"));
        Assert.Equal(choice.Auth == "jwt", requests.Any(line => line.StartsWith("@token = ", StringComparison.Ordinal)));
        var hint = tree.Read("*.AppHost/appsettings.json");
        Assert.Equal(choice.Samples, hint.Contains("'dotnet mcp-ha kill --url {endpoint}", StringComparison.Ordinal));
        Assert.Equal(choice.Samples && choice.Auth == "jwt", hint.Contains(" --token TOKEN'", StringComparison.Ordinal));

        Assert.Equal(choice.Samples, tree.Read("*.Server/Features.cs").Contains("WithSamples", StringComparison.Ordinal));
        Assert.Equal(choice.Samples, tree.Has("*.Server/Tools/StateTools.cs"));
        Assert.Equal(choice.Samples && choice.Tests, tree.Has("*.Tests/ToolTests.cs"));
        Assert.Equal(choice.Tests, tree.Has("*.Tests/FailoverTests.cs"));
    }

    [Fact]
    public void Every_value_of_an_option_is_combined_with_every_value_of_every_other()
    {
        var missing =
            from one in Enumerable.Range(0, Choices.Options.Length)
            from other in Enumerable.Range(one + 1, Choices.Options.Length - one - 1)
            from value in Choices.Options[one].Values
            from otherValue in Choices.Options[other].Values
            where !Choices.Pairwise.Any(choice => Choices.Options[one].Of(choice).Equals(value) && Choices.Options[other].Of(choice).Equals(otherValue))
            select $"{Choices.Options[one].Option} {value} with {Choices.Options[other].Option} {otherValue}";

        Assert.Empty(missing);
    }

    [Fact]
    public async Task Ports_and_guids_are_new_in_each_solution_and_the_same_in_all_its_files()
    {
        var one = await template.GenerateAsync(Choices.Default);
        var other = await template.GenerateAsync(Choices.Smallest);

        var port = LocalPort().Match(one.Read("*.Balancer/Properties/launchSettings.json")).Groups[1].Value;
        Assert.InRange(int.Parse(port, null), 5200, 5299);
        Assert.All(["README.md", "*.Server/*.Server.http"], file => Assert.Contains($"http://localhost:{port}/mcp", one.Read(file), StringComparison.Ordinal));
        Assert.Equal(6, LocalPort().Matches(one.Read("*.AppHost/Properties/launchSettings.json")).Select(match => match.Value).Distinct().Count());

        // Single ports can be equal by chance.
        string[] files = ["*.AppHost/Properties/launchSettings.json", "*.Balancer/Properties/launchSettings.json", "*.Server/Properties/launchSettings.json"];
        Assert.NotEqual(files.Select(one.Read), files.Select(other.Read));
        Assert.NotEqual(UserSecretsId().Match(one.Read("*.AppHost/*.AppHost.csproj")).Value, UserSecretsId().Match(other.Read("*.AppHost/*.AppHost.csproj")).Value);
    }

    [Fact]
    public async Task Help_names_every_option_and_describes_it()
    {
        // The width of the terminal decides how much is listed of what an option takes.
        var help = string.Join(' ', (await template.NewAsync("--help")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Where(word => !word.StartsWith('<')));

        foreach (var option in new[]
        {
            "--replicas Number of replicas", "--store Where sessions are kept", "--auth Who may use the server", "--deploy What 'aspire publish' writes",
            "--samples Includes sample tools", "--tests Includes a test project", "--skip-restore Does not restore",
            "container Redis in a container", "existing An existing Redis", "embedded Garnet as a .NET tool", "none Every client", "jwt Clients with a JWT bearer token",
            "none Nothing: no target is set up", "compose Files for Docker Compose", "kubernetes Manifests for Kubernetes",
        })
        {
            Assert.Contains(option, help, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("'none' is not a valid value", "--store", "none")]
    [InlineData("Cannot parse argument 'many'", "--replicas", "many")]
    [InlineData("'--nonsense' is not a valid option", "--nonsense")]
    public async Task An_unknown_option_or_value_is_refused(string complaint, params string[] arguments)
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => template.NewAsync([.. arguments, "-o", template.NewFolder("x"), "--skip-restore"]));

        Assert.Contains(complaint, error.Message, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"localhost:(\d+)")]
    private static partial Regex LocalPort();

    [GeneratedRegex("<UserSecretsId>(.*)</UserSecretsId>")]
    private static partial Regex UserSecretsId();
}
