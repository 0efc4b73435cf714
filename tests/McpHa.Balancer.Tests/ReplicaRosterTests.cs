using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>Lost replicas are missed for longer than the directory knows them.</summary>
public sealed class ReplicaRosterTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly FixedRegistry _registry = new();
    private readonly ReplicaDirectory _directory;
    private readonly ReplicaRoster _roster;

    public ReplicaRosterTests()
    {
        _directory = new(_registry, Options.Create(new ClusterOptions()), _time, NullLogger<ReplicaDirectory>.Instance);
        _roster = new(_directory, _time);
    }

    [Fact]
    public async Task A_loss_stays_after_the_store_has_forgotten_the_replica_until_another_one_joins()
    {
        await JoinAsync("a", "b", "c");
        Lose("a");
        Assert.Equal(1, _roster.CountUnreplaced());

        _time.Advance(TimeSpan.FromSeconds(61));
        await ForgetAsync("a");
        Assert.DoesNotContain(_directory.Known(), known => known.Replica.Id == "a");
        Assert.Equal(1, _roster.CountUnreplaced());

        _time.Advance(TimeSpan.FromMinutes(5));
        await JoinAsync("d");
        Assert.Equal(0, _roster.CountUnreplaced());

        // One that has taken a place leaves a place when it is lost itself.
        _time.Advance(TimeSpan.FromMinutes(5));
        Lose("d");
        await ForgetAsync("d");
        Assert.Equal(1, _roster.CountUnreplaced());
    }

    [Fact]
    public async Task One_that_joins_replaces_one_loss_also_when_it_is_noticed_later()
    {
        await JoinAsync("a", "b", "c");
        _registry.Set(FixedRegistry.Info("a"), TimeSpan.FromSeconds(1));
        _registry.Set(FixedRegistry.Info("b"), TimeSpan.FromSeconds(1));
        await BeatAsync("d");
        Assert.Equal(0, _roster.CountUnreplaced());

        Lose("a");
        Assert.Equal(0, _roster.CountUnreplaced());
        Lose("b");
        Assert.Equal(1, _roster.CountUnreplaced());
    }

    [Fact]
    public async Task A_loss_ends_when_the_replica_is_back_and_after_an_hour()
    {
        await JoinAsync("a", "b");
        Lose("a");
        Assert.Equal(1, _roster.CountUnreplaced());
        _time.Advance(TimeSpan.FromMinutes(2));
        await ForgetAsync("a");
        await JoinAsync("a");
        Assert.Equal(0, _roster.CountUnreplaced());

        Lose("a");
        await ForgetAsync("a");
        _time.Advance(ReplicaRoster.MissedFor - TimeSpan.FromSeconds(1));
        Assert.Equal(1, _roster.CountUnreplaced());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, _roster.CountUnreplaced());
    }

    [Fact]
    public async Task One_that_was_shutting_down_is_no_loss_and_one_that_an_operator_drained_is()
    {
        await JoinAsync("a", "b", "c");
        _registry.Set(FixedRegistry.Info("a") with { Draining = true });
        _registry.Set(FixedRegistry.Info("b") with { Draining = true, Stays = true });
        await RefreshAsync();
        Assert.Equal(0, _roster.CountUnreplaced());

        await ForgetAsync("a");
        Assert.Equal(0, _roster.CountUnreplaced());
        Lose("b");
        await ForgetAsync("b");
        Assert.Equal(1, _roster.CountUnreplaced());
    }

    public void Dispose() => _directory.Dispose();

    private async Task JoinAsync(params string[] ids)
    {
        await BeatAsync(ids);
        _roster.CountUnreplaced();
        _time.Advance(TimeSpan.FromSeconds(5));
        await RefreshAsync();
    }

    private async Task BeatAsync(params string[] ids)
    {
        foreach (var id in ids)
            _registry.Set(FixedRegistry.Info(id) with { Started = _time.GetUtcNow() });
        await RefreshAsync();
    }

    // A reading serves all who asked before it: time has to pass between two.
    private Task RefreshAsync()
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        return _directory.RefreshAsync().AsTask();
    }

    private void Lose(string id)
    {
        _directory.ReportUnreachable(id);
        Assert.Null(_directory.Find(id));
        _roster.CountUnreplaced();
    }

    private async Task ForgetAsync(string id)
    {
        _registry.Remove(id);
        await RefreshAsync();
    }
}
