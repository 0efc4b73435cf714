using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>The failover in memory with which a process warms up before it listens.</summary>
public sealed class FailoverWarmUpTests
{
    [Fact]
    public async Task A_call_goes_on_behind_what_its_client_has_at_the_next_replica_which_finds_the_first_one_gone()
    {
        using var server = new NoServer();
        var lifetime = new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance);
        var store = new InMemorySessionStore(new(TimeProvider.System, Options.Create(new SessionStoreOptions())));
        var warmUp = new FailoverWarmUp(server, lifetime, store, TimeProvider.System, NullLogger<FailoverWarmUp>.Instance);

        var (sent, foundGone) = await warmUp.RunAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain("\"progress\":1", sent, StringComparison.Ordinal);
        Assert.Contains("\"progress\":2", sent, StringComparison.Ordinal);
        Assert.Contains("warm", sent, StringComparison.Ordinal);
        Assert.Equal(!OperatingSystem.IsWindows(), foundGone);
    }

    [Fact]
    public void A_highly_available_server_warms_up()
    {
        var services = new ServiceCollection();
        services.AddMcpServer().WithHighAvailability();

        Assert.Single(services, service => service.ServiceType == typeof(IHostedService) && service.ImplementationType == typeof(FailoverWarmUp));
    }
}
