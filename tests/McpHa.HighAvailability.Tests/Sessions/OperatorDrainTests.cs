using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace McpHa.Tests;

/// <summary>A replica that an operator drains over the event bus stays up.</summary>
public sealed class OperatorDrainTests
{
    [Fact]
    public async Task It_hands_its_sessions_over_takes_no_new_ones_and_is_resumed()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();

        await TellAsync(cluster, ReplicaOperation.Drain);

        await Wait.UntilAsync(() => Owner(cluster, client) == "replica-b", "the session to be handed over");
        Assert.True(cluster[0].Get<SelfReplica>().Describe() is { Draining: true, Stays: true });
        Assert.Equal(HealthStatus.Unhealthy, await HealthAsync(cluster));
        using var opened = await cluster.ConnectAsync();
        Assert.Equal("replica-b", Owner(cluster, opened));
        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));

        await TellAsync(cluster, ReplicaOperation.Resume);

        await Wait.UntilAsync(() => !cluster[0].Get<SelfReplica>().Draining, "the replica to be resumed");
        using var again = await cluster.ConnectAsync();
        Assert.Equal("replica-a", Owner(cluster, again));
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(cluster));
    }

    [Fact]
    public async Task A_call_in_flight_is_never_broken_off_and_its_session_stays_when_the_drain_is_called_off()
    {
        await using var cluster = await InProcessCluster.StartAsync(); // with no time for draining at all
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        using var idle = await cluster.ConnectAsync();
        var call = client.CallAsync(cluster[0], "once");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        await TellAsync(cluster, ReplicaOperation.Drain);
        await Wait.UntilAsync(() => Owner(cluster, idle) == "replica-b", "the idle session to be handed over");
        await TellAsync(cluster, ReplicaOperation.Resume);
        await Wait.UntilAsync(() => !cluster[0].Get<SelfReplica>().Draining, "the replica to be resumed");
        finish.SetResult();

        Assert.Equal("replica-a", await call);
        Assert.Equal("replica-a", await client.CallAsync(cluster[0], "once"));
        Assert.Equal("replica-a", Owner(cluster, client));
    }

    [Fact]
    public async Task A_call_in_flight_finishes_before_its_session_moves()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        var call = client.CallAsync(cluster[0], "once");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        await TellAsync(cluster, ReplicaOperation.Drain);
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().Draining, "the drain to begin");

        finish.SetResult();

        Assert.Equal("replica-a", await call);
        await Wait.UntilAsync(() => Owner(cluster, client) == "replica-b", "the session to be handed over");
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task The_last_replica_does_not_drain_and_one_that_became_the_last_serves()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await TellAsync(cluster, ReplicaOperation.Drain);
        await Wait.UntilAsync(() => Owner(cluster, client) == "replica-b", "the session to be handed over");

        // The other one counts as lost.
        await cluster.CutOffAsync(cluster[1]);
        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));
        Assert.Equal("replica-a", Owner(cluster, client));
        using var opened = await cluster.ConnectAsync();
        Assert.Equal("replica-a", Owner(cluster, opened));

        await TellAsync(cluster, ReplicaOperation.Resume);
        await Wait.UntilAsync(() => !cluster[0].Get<SelfReplica>().Draining, "the replica to be resumed");
        Assert.False(cluster[0].Get<ReplicaDrain>().Begin());
        Assert.False(cluster[0].Get<SelfReplica>().Draining);
    }

    [Fact]
    public async Task A_drained_replica_can_be_stopped()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await TellAsync(cluster, ReplicaOperation.Drain);
        await Wait.UntilAsync(() => Owner(cluster, client) == "replica-b", "the session to be handed over");
        await cluster[0].StopAsync().WaitAsync(Wait.Limit);
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
    }

    [Theory]
    [InlineData("Drain replica-b")]
    [InlineData("Drain")]
    [InlineData("7 replica-a")]
    [InlineData("Explode replica-a")]
    [InlineData("")]
    public void What_is_not_meant_or_not_understood_is_left_alone(string message) =>
        Assert.Null(OperationMessage.Read(System.Text.Encoding.ASCII.GetBytes(message), "replica-a"));

    private static async Task<HealthStatus> HealthAsync(InProcessCluster cluster) =>
        (await cluster[0].Get<DrainHealthCheck>().CheckHealthAsync(new HealthCheckContext())).Status;

    private static string? Owner(InProcessCluster cluster, RawClient client) => cluster.Snapshot(client.SessionId!)?.Record.Owner;

    private static ValueTask TellAsync(InProcessCluster cluster, ReplicaOperation operation) =>
        cluster.Bus.PublishAsync(OperationMessage.Topic, OperationMessage.Write(operation, "replica-a"));
}
