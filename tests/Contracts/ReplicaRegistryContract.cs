using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="IReplicaRegistry"/> does.</summary>
public abstract class ReplicaRegistryContract
{
    protected abstract IReplicaRegistry Registry();

    /// <summary>Makes the registry believe that the replica was silent for that much longer.</summary>
    protected abstract Task AgeAsync(string replicaId, TimeSpan by);

    [Fact]
    public async Task A_heartbeat_is_read_back_by_everybody_as_it_was_written()
    {
        var registry = Registry();
        var (one, two) = (Replica(), Replica());

        await registry.BeatAsync(one);
        var seen = await registry.BeatAsync(two);
        var observed = await registry.BeatAsync(null);

        Assert.Equal(new[] { one, two }.OrderBy(replica => replica.Id), seen.Select(entry => entry.Replica).OrderBy(replica => replica.Id));
        Assert.Equal(new[] { one, two }.OrderBy(replica => replica.Id), observed.Select(entry => entry.Replica).OrderBy(replica => replica.Id));
        Assert.All(observed, entry => Assert.InRange(entry.Age, TimeSpan.Zero, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_heartbeat_replaces_the_one_before()
    {
        var registry = Registry();
        var replica = Replica();
        await registry.BeatAsync(replica);
        await AgeAsync(replica.Id, TimeSpan.FromSeconds(20));

        var draining = replica with { Draining = true, Sessions = 7, Calls = 3 };
        var entry = Assert.Single(await registry.BeatAsync(draining));

        Assert.Equal(draining, entry.Replica);
        Assert.True(entry.Age < TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_age_of_a_silent_replica_grows()
    {
        var registry = Registry();
        var replica = Replica();
        await registry.BeatAsync(replica);

        await AgeAsync(replica.Id, TimeSpan.FromSeconds(20));

        Assert.InRange(Assert.Single(await registry.BeatAsync(null)).Age, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_replica_that_was_silent_for_a_minute_is_removed()
    {
        var registry = Registry();
        var (silent, other) = (Replica(), Replica());
        await registry.BeatAsync(silent);
        await AgeAsync(silent.Id, TimeSpan.FromSeconds(61));

        Assert.Equal([other], (await registry.BeatAsync(other)).Select(entry => entry.Replica));
    }

    [Fact]
    public async Task A_replica_that_leaves_is_removed_at_once_and_may_come_back()
    {
        var registry = Registry();
        var replica = Replica();
        await registry.BeatAsync(replica);

        await registry.LeaveAsync(replica.Id);
        await registry.LeaveAsync(replica.Id);
        await registry.LeaveAsync("never-there");

        Assert.Empty(await registry.BeatAsync(null));
        Assert.Single(await registry.BeatAsync(replica));
    }
}
