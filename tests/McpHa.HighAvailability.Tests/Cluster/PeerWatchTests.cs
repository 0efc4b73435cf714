using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests.Cluster;

/// <summary>What is made of the answers of replicas that are asked directly.</summary>
public sealed class PeerWatchTests : IDisposable
{
    private static readonly ProbeAnswer Silence = new ProbeAnswer.Unreachable(Refused: false);
    private readonly ReplicaView _view = new(new ClusterOptions(), "me", heartbeatIsEnough: false);
    private readonly PeerWatch _watch;
    private readonly List<string> _asked = [];
    private Func<ReplicaInfo, ProbeAnswer> _answer = replica => new ProbeAnswer.Answered(replica.Id, false, false);
    private TimeSpan _now;
    private bool _away;

    public PeerWatchTests()
    {
        _watch = new(
            (replica, _) =>
            {
                _asked.Add(replica.Id);
                return Task.FromResult(_answer(replica));
            },
            _view, new ClusterOptions { HeartbeatInterval = TimeSpan.FromHours(1) }, TimeProvider.System, () => _now, () => _away, NullLogger.Instance);
        Read(0, ("a", 0), ("b", 0));
    }

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void Who_is_in_use_is_asked_and_nobody_else()
    {
        _watch.Tick();
        Assert.Empty(_asked);
        var use = _view.Use("a")!.Begin();
        _watch.Tick();
        Assert.Equal(["a"], _asked);
        use.Dispose();
        _watch.Tick();
        Assert.Equal(["a"], _asked);
    }

    [Fact]
    public void Who_does_not_answer_is_lost_and_back_when_it_beats_and_answers()
    {
        using var use = _view.Use("a")!.Begin();
        var lost = _view.LostToken("a");
        _answer = _ => Silence;
        _watch.Tick();
        Assert.Null(_view.Find("a"));
        Assert.True(lost.IsCancellationRequested);

        _watch.Tick();
        Assert.Single(_asked); // it has not even beaten since

        Read(1, ("a", 0), ("b", 0));
        Assert.Null(_view.Find("a"));
        _watch.Tick();
        Assert.Null(_view.Find("a"));

        _answer = replica => new ProbeAnswer.Answered(replica.Id, false, false);
        Read(2, ("a", 0), ("b", 0));
        _watch.AskSuspected();
        Assert.NotNull(_view.Find("a"));
        Assert.False(_view.LostToken("a").IsCancellationRequested);
    }

    [Fact]
    public void While_the_registry_is_away_the_answer_alone_counts()
    {
        _view.Suspect("a", _now = TimeSpan.FromSeconds(1));
        _watch.AskSuspected();
        Assert.Empty(_asked);
        _away = true;
        _now = TimeSpan.FromSeconds(2);
        _watch.AskSuspected();
        Assert.NotNull(_view.Find("a"));
    }

    [Fact]
    public void A_busy_replica_is_asked_once_more_before_it_is_lost()
    {
        using var use = _view.Use("a")!.Begin();
        _answer = _ =>
        {
            if (_asked.Count == 1)
                use.Heard();
            return Silence;
        };
        _watch.Ask(_view.Find("a")!);
        Assert.Equal(2, _asked.Count);
        Assert.Null(_view.Find("a"));
    }

    [Fact]
    public void A_refusal_counts_at_once_and_what_is_unclear_never()
    {
        using var use = _view.Use("a")!.Begin();
        _answer = _ => new ProbeAnswer.Unclear();
        _watch.Tick();
        Assert.NotNull(_view.Find("a"));

        use.Heard();
        _answer = _ => new ProbeAnswer.Unreachable(Refused: true);
        _watch.Tick();
        Assert.Null(_view.Find("a"));
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public void An_answer_to_an_older_question_does_not_outweigh_a_refusal()
    {
        _view.Suspect("a", TimeSpan.FromSeconds(5));
        Assert.False(_view.Trust("a", asked: TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(6)));
        Assert.Null(_view.Find("a"));
    }

    private void Read(double at, params (string Id, double Age)[] replicas)
    {
        _now = TimeSpan.FromSeconds(at);
        _view.Apply(null, [.. replicas.Select(r => new RegisteredReplica(FixedRegistry.Info(r.Id), TimeSpan.FromSeconds(r.Age)))], _now, _now);
    }
}
