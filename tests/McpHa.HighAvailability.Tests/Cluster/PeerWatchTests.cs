using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Cluster;

/// <summary>Which replicas are probed, and which silence is a loss. All times are virtual.</summary>
public sealed class PeerWatchTests : IDisposable
{
    private static readonly ProbeAnswer Nothing = new ProbeAnswer.Unreachable(Refused: false);
    private static readonly ClusterOptions Options = new();
    private readonly List<(string Id, ReplicaLoss Reason)> _lost = [];
    private readonly ReplicaView _view;
    private readonly PeerWatch _watch;
    private readonly List<string> _probed = [];
    private readonly List<string> _asked = [];
    private readonly List<string> _pinged = [];
    private readonly Dictionary<string, Pong> _pongs = [];
    private readonly HashSet<string> _silent = [];
    private readonly HashSet<string> _stopped = [];
    private Pong? _pong;
    private readonly Dictionary<string, TimeSpan> _beats = new() { ["a"] = default, ["b"] = default };
    private Func<ReplicaInfo, ProbeAnswer> _answer = replica => new ProbeAnswer.Answered(replica.Id, false, false);
    private TimeSpan _now;
    private bool _away;
    private int _readings;

    public PeerWatchTests()
    {
        _view = new(Options, "me", heartbeatIsEnough: false, (id, reason) => _lost.Add((id, reason)));
        var questions = new PeerQuestions(
            async (replica, cancellationToken) =>
            {
                _probed.Add(replica.Id);
                if (_silent.Contains(replica.Id))
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                return _answer(replica);
            },
            (replica, _) =>
            {
                _asked.Add(replica.Id);
                return Task.FromResult(_silent.Contains(replica.Id) ? Nothing : _answer(replica));
            },
            _ =>
            {
                _readings++;
                Read();
                return ValueTask.CompletedTask;
            },
            replica =>
            {
                _pinged.Add(replica.Id);
                if (_pong is { } pong && !_stopped.Contains(replica.Id))
                    _pongs[replica.Id] = pong with { Count = _pongs.GetValueOrDefault(replica.Id).Count + 1 };
            },
            id => _pongs.GetValueOrDefault(id));
        _watch = new(questions, _view, new StoreIncarnation(Options, TimeProvider.System), Options, new FakeTimeProvider(), () => _now, () => _away, NullLogger.Instance);
        Read();
    }

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void A_replica_with_open_exchanges_is_probed_and_no_other()
    {
        Run(2);
        Assert.Empty(_probed);
        using (_view.Use("a")!.Begin())
            Run(2);
        Assert.InRange(_probed.Count, 6, 9); // four in a second
        Assert.All(_probed, id => Assert.Equal("a", id));
        var before = _probed.Count;
        Run(2);
        Assert.Equal(before, _probed.Count);
        Assert.Equal(0, _readings);
        Assert.Empty(_pinged);
    }

    [Theory]
    [InlineData(0.00)]
    [InlineData(0.10)]
    [InlineData(0.25)]
    [InlineData(0.37)]
    [InlineData(0.49)]
    public void A_replica_that_vanishes_with_a_call_in_flight_is_lost_within_a_second(double phase)
    {
        using var use = _view.Use("a")!.Begin();
        Run(1 + phase);
        Vanish("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Silent), Assert.Single(_lost));
        Assert.InRange((_now - began).TotalSeconds, 0.5, 1.0);
        Assert.Null(_view.Find("a"));
        Assert.NotNull(_view.Find("b"));
    }

    [Fact]
    public void A_replica_without_exchanges_that_vanishes_is_lost_before_its_heartbeat_is_overdue()
    {
        Run(1);
        Vanish("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.InRange((_now - began).TotalSeconds, 0.9, 2.5);
    }

    [Fact]
    public void A_replica_that_beats_is_not_lost_because_its_answers_are_late()
    {
        using var use = _view.Use("a")!.Begin();
        _silent.Add("a");
        Run(1.5);
        Assert.Empty(_lost);
        _silent.Clear();
        Run(10);
        Assert.Empty(_lost);
    }

    [Fact]
    public void A_replica_that_answers_is_not_lost_because_its_heartbeats_are_late()
    {
        using var use = _view.Use("a")!.Begin();
        _beats.Remove("a");
        Run(20);
        Assert.Empty(_lost);
    }

    [Fact]
    public void A_replica_that_answers_but_cannot_reach_the_registry_is_lost_when_its_heartbeat_is_overdue()
    {
        using var use = _view.Use("a")!.Begin();
        Run(1);
        _answer = replica => new ProbeAnswer.Answered(replica.Id, false, StoreAway: replica.Id == "a");
        _beats.Remove("a");
        Run(2.4);
        Assert.Empty(_lost);
        Run(1);
        Assert.Equal(("a", ReplicaLoss.Overdue), Assert.Single(_lost));
    }

    [Fact]
    public void A_starved_replica_that_answers_pings_is_not_lost_although_it_is_silent_and_its_heartbeats_are_missing()
    {
        using var use = _view.Use("a")!.Begin();
        _pong = new Pong(0, Starved: true, StoreAway: true); // it cannot know: its own reading of the store is late
        Run(1);
        Vanish("a");
        Run(10);
        Assert.Empty(_lost);
        Assert.DoesNotContain("b", _pinged);

        // The process ends, or its host.
        _stopped.Add("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Silent), Assert.Single(_lost));
        Assert.InRange((_now - began).TotalSeconds, 0.4, 1.0);
    }

    [Fact]
    public void All_other_replicas_may_be_starved_at_once_and_one_of_them_dead()
    {
        using var one = _view.Use("a")!.Begin();
        using var two = _view.Use("b")!.Begin();
        _pong = new Pong(0, Starved: true);
        Run(1);
        Vanish("a");
        Vanish("b");
        Run(10);
        Assert.Empty(_lost);

        _stopped.Add("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Silent), Assert.Single(_lost));
        Assert.InRange((_now - began).TotalSeconds, 0.4, 1.0);
        Run(5);
        Assert.Single(_lost);
    }

    [Fact]
    public void A_replica_that_has_processor_time_and_answers_pings_alone_is_lost_as_one_that_cannot_be_reached()
    {
        using var use = _view.Use("a")!.Begin();
        _pong = new Pong(0);
        _silent.Add("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Unreachable), Assert.Single(_lost));
        Assert.InRange((_now - began).TotalSeconds, 2.5, 3.1);
    }

    [Fact]
    public void Bytes_on_an_open_exchange_are_as_good_as_an_answer()
    {
        using var use = _view.Use("a")!.Begin();
        Vanish("a");
        for (var n = 0; n < 5; n++)
        {
            Run(0.4);
            use.MarkReceived(_now.Ticks);
        }

        Assert.Empty(_lost);
        RunUntil(() => _lost.Count > 0);
    }

    [Fact]
    public void A_replica_that_beats_but_cannot_be_reached_is_lost_after_about_the_time_of_an_overdue_heartbeat()
    {
        using var use = _view.Use("a")!.Begin();
        _silent.Add("a");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Unreachable), Assert.Single(_lost));
        Assert.InRange((_now - began).TotalSeconds, 2.5, 3.1);
    }

    [Fact]
    public void A_process_without_processor_time_passes_no_verdict_on_others()
    {
        using var use = _view.Use("a")!.Begin();
        Run(1);
        Vanish("a");
        _beats.Remove("b");
        for (var n = 0; n < 8; n++)
            Step(TimeSpan.FromMilliseconds(400), beats: false); // ticks of 125 ms come after 400
        Assert.Empty(_lost);
        Step(TimeSpan.FromMilliseconds(900), beats: false);
        for (var n = 0; n < 20; n++)
            Step(TimeSpan.FromMilliseconds(1), beats: false); // what was late runs in a bunch
        Assert.Empty(_lost);

        // As soon as it has processor time again it does.
        _beats["b"] = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Silent), Assert.Single(_lost));
    }

    [Fact]
    public void If_every_other_replica_is_silent_at_once_none_is_lost_soon()
    {
        using var one = _view.Use("a")!.Begin();
        using var two = _view.Use("b")!.Begin();
        Run(1);
        _silent.UnionWith(["a", "b"]); // the way to them is broken here: their heartbeats arrive
        Run(10);
        Assert.Empty(_lost);
        Assert.Equal(2, _view.Alive.Count);

        // Not for ever: an exchange would wait as long.
        Run(3);
        Assert.Equal(2, _lost.Count);
    }

    [Fact]
    public void If_one_replica_is_lost_soon_after_another_the_last_one_is_kept_for_longer()
    {
        using var one = _view.Use("a")!.Begin();
        using var two = _view.Use("b")!.Begin();
        Run(1);
        Vanish("a");
        Run(0.3);
        Vanish("b");
        var began = _now;
        RunUntil(() => _lost.Count > 0);
        Assert.Equal(("a", ReplicaLoss.Silent), Assert.Single(_lost));
        RunUntil(() => _lost.Count > 1);
        Assert.Equal(("b", ReplicaLoss.Overdue), _lost[1]);
        Assert.InRange((_now - began).TotalSeconds, 2.4, 3.1);
    }

    [Fact]
    public void The_only_other_replica_is_lost_as_soon_as_any()
    {
        _beats.Remove("b");
        _silent.Add("b");
        RunUntil(() => _lost.Count > 0);
        using var use = _view.Use("a")!.Begin();
        Run(5);
        Vanish("a");
        var began = _now;
        RunUntil(() => _lost.Count > 1);
        Assert.InRange((_now - began).TotalSeconds, 0.5, 1.0);
    }

    [Fact]
    public void A_refusal_counts_at_once_and_what_is_unclear_never()
    {
        using var use = _view.Use("a")!.Begin();
        _answer = _ => new ProbeAnswer.Unclear();
        Run(10);
        Assert.Empty(_lost);

        _answer = _ => new ProbeAnswer.Unreachable(Refused: true);
        Run(0.5);
        Assert.Equal(("a", ReplicaLoss.Refused), Assert.Single(_lost));
    }

    [Fact]
    public void A_lost_replica_is_back_when_it_beats_and_answers()
    {
        using (_view.Use("a")!.Begin())
        {
            Run(1);
            Vanish("a");
            RunUntil(() => _lost.Count > 0);
        }

        Run(1);
        _watch.AskSuspected();
        Assert.Empty(_asked); // it has not even beaten since

        _beats["a"] = _now;
        Run(1);
        _watch.AskSuspected();
        Assert.Null(_view.Find("a"));
        _silent.Clear();
        Run(1);
        _watch.AskSuspected();
        Assert.NotNull(_view.Find("a"));
        Assert.False(_view.LostToken("a").IsCancellationRequested);
    }

    [Fact]
    public void While_the_registry_is_away_an_answer_alone_brings_a_replica_back()
    {
        Run(1);
        _view.Suspect("a", _now);
        _watch.AskSuspected();
        Assert.Empty(_asked);
        _away = true;
        Run(0.5, beats: false);
        Assert.NotNull(_view.Find("a"));
    }

    [Fact]
    public void An_answer_to_an_older_question_does_not_outweigh_a_refusal()
    {
        _view.Suspect("a", TimeSpan.FromSeconds(5));
        Assert.False(_view.Trust("a", asked: TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(6)));
        Assert.Null(_view.Find("a"));
    }

    private void Vanish(string id)
    {
        _silent.Add(id);
        _beats.Remove(id);
    }

    private readonly Dictionary<string, TimeSpan> _lastBeats = new();
    private TimeSpan _lastReading;

    // Ticks of the watch every 125 ms, heartbeats and readings every 500 ms.
    private void Run(double seconds, bool beats = true)
    {
        for (var until = _now + TimeSpan.FromSeconds(seconds); _now < until;)
            Step(TimeSpan.FromMilliseconds(125), beats);
    }

    private void RunUntil(Func<bool> condition)
    {
        for (var n = 0; !condition(); n++)
        {
            Assert.True(n < 400, "It does not happen.");
            Step(TimeSpan.FromMilliseconds(125), beats: true);
        }
    }

    private void Step(TimeSpan time, bool beats)
    {
        _now += time;
        foreach (var id in _beats.Keys.ToList())
        {
            // Each replica beats in a phase of its own.
            if (_now - _beats[id] >= Options.HeartbeatInterval)
                _beats[id] = _now;
            _lastBeats[id] = _beats[id];
        }

        if (beats && _now - _lastReading >= Options.HeartbeatInterval)
            Read();
        _view.Sweep(_now);
        _watch.Tick();
    }

    private void Read()
    {
        _lastReading = _now;
        foreach (var (id, beat) in _beats)
            _lastBeats[id] = beat;
        _view.Apply(null, [.. _lastBeats.Select(beat => new RegisteredReplica(FixedRegistry.Info(beat.Key), _now - beat.Value))], _now, _now);
    }
}
