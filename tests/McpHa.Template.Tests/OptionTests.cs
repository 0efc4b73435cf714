using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>What each option is for.</summary>
[Collection(TemplateCollection.Name)]
public sealed partial class OptionTests(TemplateFixture template)
{
    public static TheoryData<int> Pairwise => [.. Enumerable.Range(0, Choices.Pairwise.Length)];

    [Theory]
    [MemberData(nameof(Pairwise))]
    public async Task Every_option_does_what_it_says(int number)
    {
        var choice = Choices.Pairwise[number];
        var tree = await template.GenerateAsync(choice);

        Assert.Contains($"\"Replicas\": {choice.Replicas}", tree.Read("*.AppHost/appsettings.json"), StringComparison.Ordinal);
        Assert.Contains($"\"EnableLegacySse\": {(choice.LegacySse ? "true" : "false")}", tree.Read("*.Server/appsettings.json"), StringComparison.Ordinal);

        Assert.Equal(choice.Redis == "container", tree.Has("*.AppHost/ClusterRedis.cs"));
        Assert.Equal(choice.Redis == "existing", tree.Read("*.AppHost/AppHost.cs").Contains("AddConnectionString(\"redis\")", StringComparison.Ordinal));
        Assert.Equal(choice.Redis == "container", tree.Read("Directory.Packages.props").Contains("\"Aspire.Hosting.Redis\"", StringComparison.Ordinal));

        Assert.Equal(choice.Auth == "jwt", tree.Has("*.Server/Authentication/BearerAuthentication.cs"));
        Assert.Equal(choice.Auth == "jwt", tree.Read("*.Server/Program.cs").Contains("RequireBearer", StringComparison.Ordinal));
        Assert.Equal(choice.Auth == "jwt", tree.Read("*.Server/appsettings.json").Contains("\"Bearer\": {", StringComparison.Ordinal));

        Assert.Equal(choice.Lab, tree.Has("*.Lab/Program.cs"));
        Assert.Equal(choice.Tests, tree.Has("tests/*.Server.Tests/ServerTests.cs"));
        Assert.Equal(choice.Tests && choice.Lab, tree.Has("tests/*.Server.Tests/FailoverTests.cs"));
        Assert.Equal(choice.Samples, tree.Has("*.Server/Tools/StateTools.cs"));
        Assert.Equal(choice.Samples && choice.Tests, tree.Has("tests/*.Server.Tests/ToolTests.cs"));
        Assert.Equal(choice.Tests, tree.Files.Any(file => file.StartsWith("tests/", StringComparison.Ordinal)));
        Assert.Contains($"Name = \"{choice.EffectiveName}\"", tree.Read("*.Server/Program.cs"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", "", "AddDockerComposeEnvironment|AddKubernetesEnvironment")]
    [InlineData("compose", "AddDockerComposeEnvironment", "AddKubernetesEnvironment")]
    [InlineData("kubernetes", "AddKubernetesEnvironment", "AddDockerComposeEnvironment")]
    public async Task What_is_deployed_to_is_in_the_AppHost_and_nothing_else(string deploy, string wanted, string unwanted)
    {
        foreach (var choice in Choices.Pairwise.Where(choice => choice.Deploy == deploy))
        {
            var tree = await template.GenerateAsync(choice);
            var host = string.Concat(tree.Texts.Where(text => text.File.Contains(".AppHost/", StringComparison.Ordinal)).Select(text => text.Text));

            Assert.Contains(wanted, host, StringComparison.Ordinal);
            Assert.DoesNotMatch(unwanted, host);
        }
    }

    [Fact]
    public async Task A_value_after_the_option_means_the_same_as_the_option_with_no()
    {
        var spelled = await GenerateAsync("--lab", "false", "--tests", "false", "--samples", "false");
        var negated = await GenerateAsync("--no-lab", "--no-tests", "--no-samples");
        var everything = await GenerateAsync("--lab", "--tests", "--samples");

        Assert.Equal(negated.Files, spelled.Files);
        Assert.Equal((await template.GenerateAsync(new("Contoso.Tools"))).Files, everything.Files);
    }

    [Fact]
    public async Task Ports_are_drawn_and_the_same_everywhere_and_guids_are_new()
    {
        var one = await GenerateAsync();
        var other = await GenerateAsync();

        var port = Regex.Match(one.Read("*.Balancer/Properties/launchSettings.json"), @"localhost:(\d+)").Groups[1].Value;
        Assert.Contains($"http://localhost:{port}/mcp", one.Read("README.md"), StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1.\", {port},", one.Read("*.Lab/Up/UpCommand.cs"), StringComparison.Ordinal);
        Assert.InRange(int.Parse(port, null), 5200, 5299);
        var ports = Regex.Matches(one.Read("*.AppHost/Properties/launchSettings.json"), @"localhost:(\d+)").Select(match => match.Groups[1].Value).Distinct().ToList();
        Assert.Equal(6, ports.Count);

        // Ports of one may be those of the other by chance, all of them at once not.
        string[] files = ["*.AppHost/Properties/launchSettings.json", "*.Balancer/Properties/launchSettings.json", "*.Server/Properties/launchSettings.json"];
        Assert.NotEqual(files.Select(one.Read), files.Select(other.Read));
        Assert.NotEqual(Secrets(one), Secrets(other));

        static Guid Secrets(GeneratedTree tree) => Guid.Parse(UserSecretsId().Match(tree.Read("*.AppHost/*.AppHost.csproj")).Groups[1].Value);
    }

    [Fact]
    public async Task Help_names_every_option_and_says_what_it_is_for()
    {
        // What an option takes is listed in more or less detail, according to the width of the terminal.
        var help = string.Join(' ', (await template.NewAsync("--help")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Where(word => !word.StartsWith('<')));

        foreach (var option in new[]
        {
            "--replicas Number of replicas", "--redis Where sessions are kept", "--auth Who may use the server",
            "--deploy What 'aspire publish' makes", "--legacy-sse Also serves clients", "--lab Includes the lab", "--no-lab Leaves the lab out",
            "--tests Includes a test project", "--no-tests Leaves the test project out", "--samples Includes sample tools", "--no-samples Makes a server that works",
            "--skip-restore Does not restore",
            "container A container with a data volume", "existing A Redis that is there already", "none Everybody who reaches it", "jwt Whoever brings a JWT bearer token",
            "none Nothing: no target is set up", "compose Files for Docker Compose", "kubernetes Manifests for Kubernetes",
        })
        {
            Assert.Contains(option, help, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_no_option_takes_is_refused()
    {
        foreach (var (arguments, complaint) in new[]
        {
            (new[] { "--redis", "none" }, "'none' is not a valid value"), (["--replicas", "many"], "Cannot parse argument 'many'"), (["--nonsense"], "'--nonsense' is not a valid option"),
        })
        {
            var error = await Assert.ThrowsAsync<InvalidOperationException>(() => template.NewAsync([.. arguments, "-o", template.NewFolder("x"), "--skip-restore"]));
            Assert.Contains(complaint, error.Message, StringComparison.Ordinal);
        }
    }

    private async Task<GeneratedTree> GenerateAsync(params string[] arguments)
    {
        var folder = template.NewFolder("out");
        await template.NewAsync(["-n", "Contoso.Tools", "-o", folder, "--skip-restore", .. arguments]);
        return new(new("Contoso.Tools"), folder);
    }

    [GeneratedRegex("<UserSecretsId>(.*)</UserSecretsId>")]
    private static partial Regex UserSecretsId();
}
