using McpHa.Server;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace McpHa.Tests;

/// <summary>The section <c>Bearer</c>: a server that requires tokens never runs without complete settings.</summary>
public sealed class SignInSettingsTests
{
    private const string Issuer = "https://login.example.com";
    private const string Endpoint = "https://mcp.example.com/mcp";

    [Theory]
    [InlineData("Bearer:Authority")]
    [InlineData("Bearer:Authority", "Bearer:Authority", "", "Bearer:Resource", "")]
    [InlineData("Bearer:Authority", "Bearer:Enabled", "true")]
    [InlineData("Bearer:Authority", "Bearer:Resource", Endpoint)]
    [InlineData("Bearer:Authority", "Bearer:Audience", Endpoint)]
    [InlineData("Bearer:Authority", "Bearer:Authority", "http://login.example.com", "Bearer:Resource", Endpoint)]
    [InlineData("Bearer:Authority", "Bearer:Authority", "dotnet-user-jwts", "Bearer:Resource", Endpoint)]
    [InlineData("Bearer:Resource", "Bearer:Authority", Issuer)]
    [InlineData("Bearer:Authority", "Bearer:Enabled", "false", "Bearer:Authority", Issuer)]
    [InlineData("Bearer:Scopes", "Bearer:Enabled", "false", "Bearer:Scopes:0", "tools")]
    [InlineData("Bearer:Enabled", "Bearer:Enabled", "perhaps")]
    public void A_section_that_is_missing_incomplete_or_contradictory_keeps_the_server_from_starting(string named, params string[] settings)
    {
        var error = Assert.Throws<InvalidOperationException>(() => Add(settings));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_complete_section_asks_for_tokens()
    {
        var services = Add("Bearer:Authority", Issuer, "Bearer:Resource", Endpoint);

        Assert.NotNull(await services.GetRequiredService<IAuthenticationSchemeProvider>().GetDefaultChallengeSchemeAsync());
    }

    [Fact]
    public async Task Tokens_of_a_developers_machine_need_the_environment_Development()
    {
        var services = AddIn(Environments.Development, "Bearer:Authority", "dotnet-user-jwts", "Bearer:Resource", "http://localhost:5200/mcp");

        Assert.NotNull(await services.GetRequiredService<IAuthenticationSchemeProvider>().GetDefaultChallengeSchemeAsync());
    }

    [Theory]
    [InlineData("Bearer:Enabled", "false")]
    [InlineData("Bearer:Enabled", "false", "Bearer:Authority", "", "Bearer:Resource", "")]
    public void An_explicit_false_serves_clients_without_a_token(params string[] settings) => Assert.Null(Add(settings).GetService<IAuthenticationSchemeProvider>());

    private static ServiceProvider Add(params string[] settings) => AddIn(Environments.Production, settings);

    private static ServiceProvider AddIn(string environment, params string[] settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { EnvironmentName = environment });
        builder.Configuration.AddInMemoryCollection(settings.Chunk(2).Select(setting => KeyValuePair.Create(setting[0], (string?)setting[1])));
        builder.AddBearerAuthentication();
        return builder.Services.BuildServiceProvider();
    }
}
