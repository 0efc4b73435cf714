using System.Diagnostics;
using Aspire.Hosting.Testing;

namespace McpHa.Tests;

/// <summary>The application on a machine that has the .NET SDK and neither a container runtime nor <c>redis-server</c>.</summary>
public sealed class GarnetTests(GarnetTests.Application application) : IClassFixture<GarnetTests.Application>
{
    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_dashboard_says_which_store_it_is_and_why()
    {
        var store = await application.UntilAsync("redis", resource => resource.Properties.Any(property => property.Name == "Store"));

        var what = (string)store.Properties.Single(property => property.Name == "Store").Value!;
        Assert.Contains("Garnet", what, StringComparison.Ordinal);
        Assert.Contains("no container runtime runs and redis-server is not installed", what, StringComparison.Ordinal);
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_session_goes_on_when_the_process_of_its_replica_is_killed()
    {
        await using var session = await Session.OpenAsync(application.McpEndpoint);
        Assert.Equal(1, await session.CountAsync());
        var owner = await session.OwnerAsync();

        Process.GetProcessById(owner.ProcessId).Kill();

        Assert.Equal(2, await session.CountAsync());
        Assert.NotEqual(owner.Resource, (await session.OwnerAsync()).Resource);
    }

    /// <summary>The application, described while the PATH names no program.</summary>
    public sealed class Application : ApplicationFixture
    {
        protected override async Task<IDistributedApplicationTestingBuilder> CreateBuilderAsync(string[] arguments)
        {
            using var machine = new Machine();
            return await base.CreateBuilderAsync(arguments);
        }
    }
}
