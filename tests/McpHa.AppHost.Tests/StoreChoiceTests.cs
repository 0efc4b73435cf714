using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Mcp.HighAvailability.Hosting;

namespace McpHa.Tests;

/// <summary>Which store the AppHost adds, by what the machine has. Nothing is started.</summary>
public sealed class StoreChoiceTests
{
    [Fact(Timeout = Bound.Milliseconds)]
    public async Task An_existing_Redis_comes_first()
    {
        using var machine = new Machine();
        machine.Add("docker", exitCode: 0);
        machine.Add("redis-server", exitCode: 0);

        Assert.IsAssignableFrom<ParameterResource>(await StoreAsync("--ConnectionStrings:redis=localhost:6379"));
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_container_runtime_that_runs_comes_second()
    {
        using var machine = new Machine();
        machine.Add("podman", exitCode: 0);
        machine.Add("redis-server", exitCode: 0);

        Assert.IsType<RedisResource>(await StoreAsync());
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task An_installed_redis_server_comes_third_and_a_container_runtime_that_does_not_run_counts_for_nothing()
    {
        using var machine = new Machine();
        machine.Add("docker", exitCode: 1);
        var program = machine.Add("redis-server", exitCode: 0);

        Assert.Equal(program, Assert.IsAssignableFrom<ExecutableResource>(await StoreAsync()).Command);
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task Garnet_as_a_tool_of_the_SDK_comes_last_and_has_a_password()
    {
        using var machine = new Machine();
        machine.Add("docker", exitCode: 1);

        var store = Assert.IsAssignableFrom<DotnetToolResource>(await StoreAsync());

        Assert.Equal("redis", store.Name);
        Assert.EndsWith(",password={redis-password.value}", ((IResourceWithConnectionString)store).ConnectionStringExpression.ValueExpression, StringComparison.Ordinal);
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_setting_Store_wins_over_what_the_machine_has()
    {
        using var machine = new Machine();
        machine.Add("docker", exitCode: 0);

        var store = Assert.IsAssignableFrom<DotnetToolResource>(await StoreAsync("--Store=Garnet"));

        Assert.Contains("Garnet", store.Annotations.OfType<McpStoreAnnotation>().Single().Description, StringComparison.Ordinal);
    }

    private static async Task<IResource> StoreAsync(params string[] arguments)
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(arguments);
        return builder.Resources.Single(resource => resource.Name == "redis");
    }
}
