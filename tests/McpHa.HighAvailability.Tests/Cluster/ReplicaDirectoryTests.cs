using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests.Cluster;

public class ReplicaDirectoryTests
{
    private readonly FixedRegistry _registry = new();

    private sealed class Self : ISelfReplica
    {
        public string Id => "me";

        public ReplicaInfo? Info { get; set; }

        public ReplicaInfo? Describe() => Info;
    }

    [Fact]
    public async Task A_replica_beats_as_soon_as_it_is_bound_and_says_goodbye_when_it_stops()
    {
        var self = new Self();
        using var directory = Create(TimeSpan.FromMinutes(10), self);
        await directory.StartAsync(default);
        Assert.Empty(_registry.Beats);

        self.Info = FixedRegistry.Info("me");
        await Wait.UntilAsync(() => !_registry.Beats.IsEmpty, "the first beat"); // well before the first interval is over
        Assert.Equal("me", Assert.Single(directory.Alive).Id);

        await directory.StopAsync(default);
        Assert.Equal("me", Assert.Single(_registry.Left));
    }

    [Fact]
    public async Task An_announcement_beats_at_once_and_others_hear_of_it_by_the_bus()
    {
        var bus = new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance);
        var self = new Self { Info = FixedRegistry.Info("me") };
        using var directory = Create(TimeSpan.FromMinutes(10), self, bus);
        using var other = Create(TimeSpan.FromMinutes(10), null, bus);
        await other.StartAsync(default);
        await directory.StartAsync(default);
        await Wait.UntilAsync(() => other.Find("me") is not null, "the other to hear of it");

        self.Info = self.Info with { Draining = true };
        directory.Announce();
        await Wait.UntilAsync(() => other.Find("me") is { Draining: true }, "the other to hear of the draining");
        var lost = other.LostToken("me");

        await directory.StopAsync(default);
        await Wait.UntilAsync(() => other.Find("me") is null, "the other to hear of the end");
        await Wait.UntilAsync(() => lost.IsCancellationRequested, "the token");
        await other.StopAsync(default);
    }

    [Fact]
    public async Task The_view_outlives_the_registry_and_heartbeats_go_on_afterwards()
    {
        _registry.Set(FixedRegistry.Info("a"));
        using var directory = Create(TimeSpan.FromMilliseconds(50), new Self { Info = FixedRegistry.Info("me") }, overdue: TimeSpan.FromMinutes(10));
        await directory.StartAsync(default);
        await Wait.UntilAsync(() => directory.Find("a") is not null, "the replica");

        _registry.IsAway = true;
        await directory.RefreshAsync(); // does not fail
        Assert.NotNull(directory.Find("a"));
        directory.ReportUnreachable("a");
        Assert.Null(directory.Find("a"));

        _registry.IsAway = false;
        await Wait.UntilAsync(() => directory.Find("a") is not null, "a newer heartbeat");
        await directory.StopAsync(default);
    }

    [Fact]
    public async Task A_refresh_sees_what_was_written_before_it()
    {
        using var directory = Create(TimeSpan.FromMinutes(10));
        for (var i = 0; i < 50; i++)
        {
            _registry.Set(FixedRegistry.Info($"r{i}"));
            await Task.WhenAll(directory.RefreshAsync().AsTask(), directory.RefreshAsync().AsTask());
            Assert.NotNull(directory.Find($"r{i}"));
        }
    }

    [Fact]
    public async Task A_replica_that_falls_silent_is_lost()
    {
        _registry.Set(FixedRegistry.Info("a"));
        using var directory = Create(TimeSpan.FromMilliseconds(50));
        await directory.StartAsync(default);
        await Wait.UntilAsync(() => directory.Find("a") is not null, "the replica");
        var lost = directory.LostToken("a");
        _registry.Set(FixedRegistry.Info("a"), TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(() => lost.IsCancellationRequested && directory.Find("a") is null, "the loss");
        await directory.StopAsync(default);
    }

    [Fact]
    public async Task A_reading_that_its_caller_gives_up_counts_for_nobody_who_waits()
    {
        var registry = new HeldRegistry();
        using var directory = Create(TimeSpan.FromMinutes(1), registry: registry);
        using var end = new CancellationTokenSource();
        var first = directory.RefreshAsync().AsTask();
        var givenUp = directory.RefreshAsync(end.Token).AsTask();
        var waiting = directory.RefreshAsync().AsTask();
        registry.LetGo(1);
        await first;
        await Wait.UntilAsync(() => registry.Begun == 2, "the second reading");

        await end.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
        await Wait.UntilAsync(() => registry.Begun == 3 || waiting.IsCompleted, "the third reading");
        Assert.False(waiting.IsCompleted);
        registry.LetGo(3);
        await waiting;
    }

    [Theory]
    [InlineData(0, 3000, "HeartbeatInterval")]
    [InlineData(1000, 1500, "Overdue")]
    [InlineData(1000, 60_000, "Overdue")]
    public void Settings_that_cannot_work_are_refused_by_name_with_the_cure(int interval, int overdue, string property)
    {
        var result = new ClusterOptionsValidator().Validate(null, new ClusterOptions
        {
            HeartbeatInterval = TimeSpan.FromMilliseconds(interval),
            Overdue = TimeSpan.FromMilliseconds(overdue),
        });
        Assert.Contains($"ClusterOptions.{property} ", result.FailureMessage, StringComparison.Ordinal);
        Assert.Contains("set it", result.FailureMessage, StringComparison.Ordinal);
    }

    private ReplicaDirectory Create(
        TimeSpan interval, ISelfReplica? self = null, IEventBus? bus = null, TimeSpan? overdue = null, IReplicaRegistry? registry = null) => new(
        registry ?? _registry,
        Options.Create(new ClusterOptions { HeartbeatInterval = interval, Overdue = overdue ?? 6 * interval }),
        TimeProvider.System,
        NullLogger<ReplicaDirectory>.Instance,
        self,
        bus);

    // Each reading waits until the test lets it go.
    private sealed class HeldRegistry : IReplicaRegistry
    {
        private readonly List<TaskCompletionSource> _held = [];

        public int Begun
        {
            get
            {
                lock (_held)
                    return _held.Count;
            }
        }

        public async ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
        {
            var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_held)
                _held.Add(held);
            await held.Task.WaitAsync(cancellationToken);
            return new([]);
        }

        public void LetGo(int reading)
        {
            lock (_held)
                _held[reading - 1].SetResult();
        }

        public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) => default;
    }
}
