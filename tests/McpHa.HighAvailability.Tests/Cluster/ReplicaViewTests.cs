using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests.Cluster;

public class ReplicaViewTests
{
    private readonly ReplicaView _view = new(new ClusterOptions { HeartbeatInterval = TimeSpan.FromSeconds(1) }, "me");

    [Fact]
    public void A_silent_replica_is_lost_three_seconds_after_its_last_beat_also_between_readings()
    {
        Read(0, ("a", 0));
        Read(1, ("a", 1));
        Read(2, ("a", 2));
        var lost = _view.LostToken("a");

        Assert.Equal(Seconds(1), _view.Sweep(Seconds(2)));
        _view.Sweep(Seconds(2.99));
        Assert.NotNull(_view.Find("a"));
        Assert.False(lost.IsCancellationRequested);

        _view.Sweep(Seconds(3));
        Assert.Null(_view.Find("a"));
        Assert.True(lost.IsCancellationRequested);
        Assert.True(_view.LostToken("a").IsCancellationRequested);
    }

    [Fact]
    public void Nobody_is_lost_while_the_registry_cannot_be_read()
    {
        Read(0, ("a", 0.5));
        _view.Sweep(Seconds(60));
        Assert.NotNull(_view.Find("a"));
    }

    [Fact]
    public void After_an_outage_a_replica_has_the_usual_time_to_be_heard_again()
    {
        Read(0, ("a", 0), ("b", 0));
        Read(60, ("a", 60), ("b", 60));
        Assert.NotNull(_view.Find("a"));

        Read(61, ("a", 0.1), ("b", 61));
        Read(62, ("a", 0.1), ("b", 62));
        Assert.NotNull(_view.Find("b"));
        Read(63, ("a", 0.1), ("b", 63));
        Assert.Null(_view.Find("b"));
        Assert.NotNull(_view.Find("a"));
    }

    [Fact]
    public void A_registry_that_lost_its_data_takes_nobody_with_it()
    {
        Read(0, ("a", 0), ("b", 0));
        Read(1);
        Assert.NotNull(_view.Find("a"));

        Read(2, ("a", 0));
        Read(3, ("a", 0));
        Assert.NotNull(_view.Find("a"));
        Assert.Null(_view.Find("b"));
    }

    [Fact]
    public void A_draining_replica_that_left_is_gone_at_once()
    {
        Read(0, ("a", 0));
        _view.Apply(null, [new RegisteredReplica(FixedRegistry.Info("a", draining: true), default)], Seconds(0.4), Seconds(0.5));
        var lost = _view.LostToken("a");
        Assert.False(lost.IsCancellationRequested);

        Read(0.6);
        Assert.Empty(_view.Alive);
        Assert.True(lost.IsCancellationRequested);
    }

    [Fact]
    public void A_refused_connection_outweighs_older_heartbeats_and_yields_to_newer_ones()
    {
        Read(0, ("a", 0));
        var lost = _view.LostToken("a");
        _view.Suspect("a", Seconds(0.5));
        Assert.Null(_view.Find("a"));
        Assert.True(lost.IsCancellationRequested);

        Read(1, ("a", 0.8)); // beat at 0.2
        Assert.Null(_view.Find("a"));

        Read(1.5, ("a", 0.5)); // beat at 1.0
        Assert.NotNull(_view.Find("a"));
        Assert.False(_view.LostToken("a").IsCancellationRequested);
    }

    [Fact]
    public void A_replica_that_was_silent_long_before_it_was_first_read_is_not_alive()
    {
        Read(0, ("a", 30));
        Assert.Empty(_view.Alive);
        Assert.Equal(Seconds(30), Assert.Single(_view.Known(Seconds(0))).Age);
    }

    [Fact]
    public void This_process_is_never_lost()
    {
        _view.ApplySelf(FixedRegistry.Info("me"), Seconds(0));
        Read(0, ("a", 0));
        _view.Suspect("me", Seconds(0));
        _view.Sweep(Seconds(100));
        Assert.NotNull(_view.Find("me"));
        Assert.False(_view.LostToken("me").CanBeCanceled);
    }

    [Fact]
    public void An_unknown_replica_is_lost_already() => Assert.True(_view.LostToken("unknown").IsCancellationRequested);

    [Fact]
    public void Changes_of_the_members_are_told_and_mere_heartbeats_are_not()
    {
        Read(0, ("a", 0));
        var changed = _view.Changed;
        Read(1, ("a", 0));
        Assert.False(changed.IsCompleted);
        Read(2, ("a", 0), ("b", 0));
        Assert.True(changed.IsCompleted);
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private void Read(double at, params (string Id, double Age)[] replicas) =>
        _view.Apply(null, [.. replicas.Select(replica => new RegisteredReplica(FixedRegistry.Info(replica.Id), Seconds(replica.Age)))], Seconds(at), Seconds(at));
}
