using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Mcp.HighAvailability.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>The model of the application that publishers receive. Nothing is started.</summary>
public sealed class PublicationTests
{
    [Fact(Timeout = Bound.Milliseconds)]
    public async Task Published_and_run_the_resources_have_the_same_names()
    {
        await using var run = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(["--Store=Container"]);
        await using var published = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(["--operation", "publish", "--step", "publish-manifest"]);

        Assert.Equal(["allowed-hosts", "balancer", "operations-key", "redis", "server"], Names(published));
        // Each replica is a resource of its own, and Aspire adds one that rebuilds a project.
        Assert.Equal(Names(published), Names(run).Where(name => !name.StartsWith("server-", StringComparison.Ordinal) && !name.EndsWith("-rebuilder", StringComparison.Ordinal)));
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task Parameters_say_what_they_are_for()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(["--Store=Container"]);

        foreach (var name in (string[])["operations-key", "allowed-hosts"])
            Assert.NotEmpty(builder.Resources.OfType<ParameterResource>().Single(parameter => parameter.Name == name).Description!);
    }

    // With forwarded headers a client would choose the address that its requests are counted by.
    [Fact(Timeout = Bound.Milliseconds)]
    public async Task No_process_believes_the_addresses_that_requests_bring_along()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(["--operation", "publish", "--step", "publish-manifest"]);
        Assert.True(builder.ExecutionContext.IsPublishMode);

        var projects = builder.Resources.OfType<ProjectResource>().ToList();
        // The templates' Deployment.cs gives that one its port.
        Assert.Equal("balancer", projects.Single(project => project.HasAnnotationOfType<McpBalancerAnnotation>()).Name);
        Assert.Equal(3, projects.Single(project => project.Name == "server").GetReplicaCount());
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

    private static IEnumerable<string> Names(IDistributedApplicationTestingBuilder builder) => builder.Resources.Select(resource => resource.Name).Order();
}
