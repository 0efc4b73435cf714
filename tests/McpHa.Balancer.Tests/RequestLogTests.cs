using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>ASP.NET Core's log of requests costs every relayed request something, so it is off unless a setting asks for it.</summary>
public sealed class RequestLogTests
{
    private const string Category = "Microsoft.AspNetCore.Hosting.Diagnostics";

    [Theory]
    [InlineData(false)]
    [InlineData(false, "--Logging:LogLevel:Microsoft.AspNetCore=Information")]
    [InlineData(true, $"--Logging:LogLevel:{Category}=Information")]
    public void Requests_are_logged_only_if_a_setting_names_the_category(bool logged, params string[] arguments)
    {
        var builder = WebApplication.CreateSlimBuilder(arguments);
        builder.Services.AddMcpBalancer();
        using var services = builder.Services.BuildServiceProvider();

        Assert.Equal(logged, services.GetRequiredService<ILoggerFactory>().CreateLogger(Category).IsEnabled(LogLevel.Information));
    }
}
