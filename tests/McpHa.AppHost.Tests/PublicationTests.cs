using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>What publishers get to write, of the application as AppHost.cs describes it. Nothing is started.</summary>
public sealed class PublicationTests
{
    // Whoever believed it would let a client choose the address that its requests are counted by.
    [Fact]
    public async Task No_process_believes_the_addresses_that_requests_bring_along()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(["--operation", "publish", "--step", "publish-manifest"]);
        Assert.True(builder.ExecutionContext.IsPublishMode);

        var projects = builder.Resources.OfType<ProjectResource>().ToList();
        Assert.Contains(projects, project => project.Name == "balancer");
        Assert.Contains(projects, project => project.Name.StartsWith("server", StringComparison.Ordinal));
        foreach (var project in projects)
        {
            var configuration = await ExecutionConfigurationBuilder.Create(project)
                .WithEnvironmentVariablesConfig()
                .BuildAsync(builder.ExecutionContext, NullLogger.Instance, CancellationToken.None);
            var variables = configuration.EnvironmentVariables.Select(variable => variable.Key).ToList();
            Assert.Contains("ConnectionStrings__redis", variables);
            Assert.DoesNotContain("ASPNETCORE_FORWARDEDHEADERS_ENABLED", variables);
        }
    }
}
