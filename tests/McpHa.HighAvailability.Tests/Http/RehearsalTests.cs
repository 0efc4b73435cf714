using Mcp.HighAvailability.Http;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>The failover that a process rehearses in memory before it listens.</summary>
public sealed class RehearsalTests
{
    [Fact]
    public async Task A_call_goes_on_at_the_next_replica_behind_what_its_client_has()
    {
        using var server = new NoServer();
        var lifetime = new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance);
        var rehearsal = new Rehearsal(server, lifetime, TimeProvider.System, NullLogger<Rehearsal>.Instance);

        var sent = await rehearsal.RunAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain("\"progress\":1", sent, StringComparison.Ordinal);
        Assert.Contains("\"progress\":2", sent, StringComparison.Ordinal);
        Assert.Contains("rehearsed", sent, StringComparison.Ordinal);
    }

    private sealed class NoServer : IServer
    {
        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
        }
    }
}
