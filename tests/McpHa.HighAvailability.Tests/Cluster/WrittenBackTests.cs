using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>The replicas that must have written back, or be gone, before a session counts as unknown.</summary>
public sealed class WrittenBackTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly StoreIncarnation _store;

    public WrittenBackTests()
    {
        _store = new(new ClusterOptions(), _time);
        Read("1", "1");
        Read("2", "1");
        Assert.False(ByAll(Replica("1")));
    }

    [Fact]
    public void A_replica_that_falls_silent_before_it_has_written_back_is_waited_for_a_little()
    {
        _store.Forget("a", ReplicaLoss.Silent);
        Assert.False(ByAll());

        _time.Advance(TimeSpan.FromSeconds(4));
        _store.Forget("a", ReplicaLoss.Unreachable);
        Read("2", "1", isAlive: false);
        Assert.False(ByAll());

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(ByAll());
    }

    [Fact]
    public void A_silent_replica_that_comes_back_is_waited_for_until_it_has_written_back()
    {
        _store.Forget("a", ReplicaLoss.Silent);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(ByAll());
        Read("2", "1");
        Assert.False(ByAll(Replica("1")));
        _store.Forget("a", ReplicaLoss.Overdue);
        Assert.False(ByAll());

        Read("2", "2");
        Assert.True(ByAll(Replica("2")));
        _store.Forget("a", ReplicaLoss.Silent);
        Assert.True(ByAll());
    }

    [Fact]
    public void A_replica_that_falls_silent_just_before_the_store_loses_its_data_is_waited_for_as_well()
    {
        Read("2", "2");
        _store.Forget("a", ReplicaLoss.Silent);
        Assert.True(ByAll());
        _time.Advance(TimeSpan.FromSeconds(2));
        _store.Read(new([]) { Incarnation = "3" }, []);
        Assert.False(ByAll());

        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.True(ByAll());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_replica_that_is_certainly_gone_is_not_waited_for(bool inGoodOrder)
    {
        _store.Forget("a", ReplicaLoss.Silent);
        _store.Forget("a", inGoodOrder ? ReplicaLoss.Left : ReplicaLoss.Refused);
        Assert.True(ByAll());
    }

    private bool ByAll(params ReplicaInfo[] others) => _store.WrittenBackBy(0, others).ByAll;

    private void Read(string incarnation, string writtenBack, bool isAlive = true) => _store.Read(
        new([new RegisteredReplica(Replica(writtenBack), TimeSpan.Zero)]) { Incarnation = incarnation }, isAlive ? [Replica(writtenBack)] : []);

    private static ReplicaInfo Replica(string writtenBack) =>
        new("a", new Uri("http://127.0.0.1:1"), false, 0, 0, DateTimeOffset.UnixEpoch, "1", 1) { WrittenBack = writtenBack };
}
