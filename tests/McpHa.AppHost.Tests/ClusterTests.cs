using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>A cluster as it is described in an AppHost. Nothing is started.</summary>
public sealed class ClusterTests
{
    [Fact(Timeout = Bound.Milliseconds)]
    public async Task What_is_added_to_a_cluster_reaches_each_of_its_replicas()
    {
        var builder = Builder();
        var other = builder.AddProject<Projects.McpHa_Balancer>("other");
        var cluster = builder.AddMcpCluster<Projects.McpHa_Server>("tools", replicas: 2)
            .WithReference(builder.AddMcpStore("sessions"))
            .WithEnvironment("COLOUR", "green")
            .WithArgs("--quiet")
            .WaitFor(other);
        foreach (var endpoint in builder.Resources.SelectMany(resource => resource.Annotations.OfType<EndpointAnnotation>()))
            endpoint.AllocatedEndpoint = new(endpoint, "localhost", 1); // Values with an address wait for it, and nothing starts here.
        await using var application = builder.Build();
        await builder.Eventing.PublishAsync(new BeforeStartEvent(application.Services, application.Services.GetRequiredService<DistributedApplicationModel>()));

        Assert.Equal(["tools-1", "tools-2"], cluster.Resource.Replicas.Select(replica => replica.Name));
        foreach (var replica in cluster.Resource.Replicas)
        {
            var configuration = await ConfigurationAsync(builder, replica);
            Assert.Equal("green", configuration.EnvironmentVariables.Single(variable => variable.Key == "COLOUR").Value);
            Assert.Contains(configuration.EnvironmentVariables, variable => variable.Key == "ConnectionStrings__sessions");
            Assert.Contains("--quiet", configuration.Arguments.Select(argument => argument.Value));
            Assert.Equal(["other", "sessions"], replica.Annotations.OfType<WaitAnnotation>().Select(wait => wait.Resource.Name).Distinct().Order());
        }
    }

    [Fact]
    public void Without_a_store_the_error_names_the_call_that_is_missing()
    {
        var builder = Builder();
        var cluster = builder.AddMcpCluster<Projects.McpHa_Server>("tools");

        var error = Assert.Throws<McpHostingException>(() => builder.AddMcpBalancer<Projects.McpHa_Balancer>("balancer", cluster));

        Assert.Contains("Add .WithReference(builder.AddMcpStore(\"redis\"))", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_resource_of_the_application_can_be_the_store()
    {
        var builder = Builder();
        var store = builder.AddConnectionString("sentinel").AsMcpStore();
        var cluster = builder.AddMcpCluster<Projects.McpHa_Server>("tools").WithReference(store);

        var balancer = builder.AddMcpBalancer<Projects.McpHa_Balancer>("balancer", cluster);

        Assert.Contains(balancer.Resource.Annotations.OfType<WaitAnnotation>(), wait => wait.Resource == store.Resource);
    }

    [Fact]
    public void The_balancer_is_an_MCP_server_to_the_tools_of_Aspire()
    {
        var builder = Builder();
        var cluster = builder.AddMcpCluster<Projects.McpHa_Server>("tools").WithReference(builder.AddMcpStore("sessions"));

        var balancer = builder.AddMcpBalancer<Projects.McpHa_Balancer>("balancer", cluster);

        Assert.Single(balancer.Resource.Annotations.OfType<McpServerEndpointAnnotation>());
    }

    [Fact]
    public void Spare_replicas_do_not_start_with_the_application()
    {
        var cluster = Builder().AddMcpCluster<Projects.McpHa_Server>("tools", replicas: 1, maxReplicas: 2);

        Assert.Equal([false, true], cluster.Resource.Replicas.Select(replica => replica.HasAnnotationOfType<ExplicitStartupAnnotation>()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public void A_number_of_replicas_out_of_range_is_refused(int replicas) =>
        Assert.Throws<McpHostingException>(() => Builder().AddMcpCluster<Projects.McpHa_Server>("tools", replicas));

    private static IDistributedApplicationBuilder Builder() =>
        DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = ["--Store=Container"], DisableDashboard = true, AssemblyName = "McpHa.AppHost" });

    private static Task<IExecutionConfigurationResult> ConfigurationAsync(IDistributedApplicationBuilder builder, IResource resource) =>
        ExecutionConfigurationBuilder.Create(resource)
            .WithEnvironmentVariablesConfig()
            .WithArgumentsConfig()
            .BuildAsync(builder.ExecutionContext, NullLogger.Instance, CancellationToken.None);
}
