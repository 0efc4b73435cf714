using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting;
using Mcp.HighAvailability.Hosting.Commands;
using Mcp.HighAvailability.Hosting.Restart;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>Which end of a replica is wanted, and which is followed by a restart. Nothing is started: the tests publish the states of the replicas.</summary>
public sealed class KillCommandTests : IAsyncLifetime
{
    private readonly ConsoleLog _console = new();
    private readonly McpClusterResource _cluster;
    private readonly DistributedApplication _application;
    private readonly ReplicaRestarter _restarter;

    public KillCommandTests()
    {
        var builder = DistributedApplication.CreateBuilder(
            new DistributedApplicationOptions { Args = ["--Store=Container"], DisableDashboard = true, AssemblyName = "McpHa.AppHost" });
        // The clock stands still, so that no restart begins.
        builder.Services.AddSingleton<TimeProvider>(new FakeTimeProvider());
        builder.Services.AddSingleton<ILoggerProvider>(_console);
        _cluster = builder.AddMcpCluster<Projects.McpHa_Server>("tools", replicas: 3).Resource;
        _application = builder.Build();
        _restarter = _application.Services.GetRequiredService<ReplicaRestarter>();
    }

    private ProjectResource Replica => _cluster.Replicas[0];

    // Its ends show that the restarter has begun to watch.
    private ProjectResource First => _cluster.Replicas[1];

    // Its end shows that the restarter has handled everything before.
    private ProjectResource Last => _cluster.Replicas[2];

    public async ValueTask InitializeAsync()
    {
        await _restarter.StartAsync(CancellationToken.None);
        await Wait.UntilAsync(async () =>
        {
            await EndAsync(First);
            return RestartsOf(First) > 0;
        }, "the restarter to watch");
        await PublishAsync(Replica, KnownResourceStates.Running);
    }

    public async ValueTask DisposeAsync()
    {
        await _restarter.StopAsync(CancellationToken.None);
        await _application.DisposeAsync();
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_replica_that_is_to_stay_down_stays_down_once()
    {
        _restarter.StayDown(Replica);

        Assert.Equal(0, await RestartsAfterEndAsync());
        Assert.Equal(1, await RestartsAfterEndAsync());
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task A_kill_that_fails_leaves_the_restart_after_the_next_end_as_it_was()
    {
        _restarter.StayDown(Replica);
        await PublishAsync(Replica, KnownResourceStates.Running);
        _restarter.CancelStayDown(Replica);

        Assert.Equal(1, await RestartsAfterEndAsync());
    }

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task The_kill_of_a_process_that_has_ended_says_so_and_leaves_the_restart_as_it_was()
    {
        using var ended = Process.Start(new ProcessStartInfo("dotnet", "--version") { RedirectStandardOutput = true })!;
        await ended.WaitForExitAsync();

        var result = await new KillCommand(Replica, new ClusterOperations(_cluster)).KillAsync(new RunningReplica("tools-1-b4e2", ended.Id), new()
        {
            Services = _application.Services,
            ResourceName = Replica.Name,
            CancellationToken = CancellationToken.None,
            Logger = NullLogger.Instance,
            Arguments = new InteractionInputCollection([new() { Name = "restart", InputType = InputType.Boolean, Value = "false" }]),
        });

        Assert.False(result.Success);
        Assert.Equal($"Process {ended.Id} of tools-1-b4e2 has ended already.", result.Message);
        Assert.Equal(1, await RestartsAfterEndAsync());
    }

    private async Task<int> RestartsAfterEndAsync()
    {
        await EndAsync(Replica);
        var handled = RestartsOf(Last);
        await EndAsync(Last);
        await Wait.UntilAsync(() => RestartsOf(Last) > handled, "the restarter");
        return RestartsOf(Replica);
    }

    private async Task EndAsync(ProjectResource replica)
    {
        await PublishAsync(replica, KnownResourceStates.Running);
        await PublishAsync(replica, KnownResourceStates.Exited);
    }

    private Task PublishAsync(ProjectResource replica, string state) =>
        _application.ResourceNotifications.PublishUpdateAsync(replica, snapshot => snapshot with { State = state });

    // Ends that are followed by a restart.
    private int RestartsOf(ProjectResource replica) =>
        _console.Messages.Count(message => message.StartsWith($"Replica {replica.Name} ended", StringComparison.Ordinal));
}
