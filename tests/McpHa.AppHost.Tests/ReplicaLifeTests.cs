using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting.Restart;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>When a replica that ended starts again, by the states that it goes through.</summary>
public sealed class ReplicaLifeTests
{
    private static readonly RestartPolicy _policy = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), MaxRestarts: 4, TimeSpan.FromMinutes(1));

    private readonly FakeTimeProvider _clock = new();
    private readonly ReplicaLife _life;

    public ReplicaLifeTests() => _life = new(_policy, _clock);

    [Fact]
    public void A_replica_that_ends_restarts_after_a_delay_that_grows_until_it_stays_down()
    {
        List<double> delays = [];
        while (End() is ReplicaLife.Decision.Restart restart)
            delays.Add(restart.Delay.TotalSeconds);

        Assert.Equal([1, 2, 4, 5], delays);
    }

    [Fact]
    public void After_it_was_given_up_a_start_by_hand_counts_from_the_beginning()
    {
        while (End() is not ReplicaLife.Decision.GiveUp)
        {
        }

        Assert.Equal(1, Assert.IsType<ReplicaLife.Decision.Restart>(End()).Number);
    }

    [Fact]
    public void A_replica_that_was_up_for_a_while_counts_as_a_new_one()
    {
        End();
        End();

        Assert.Equal(1, Assert.IsType<ReplicaLife.Decision.Restart>(End(uptime: TimeSpan.FromMinutes(2))).Number);
    }

    [Fact]
    public void A_replica_that_was_stopped_stays_down()
    {
        _life.Next(KnownResourceStates.Running);
        _life.Next(KnownResourceStates.Stopping);

        Assert.Same(ReplicaLife.Decision.Nothing, _life.Next(KnownResourceStates.Finished));
    }

    [Fact]
    public void A_replica_that_was_killed_to_stay_down_stays_down_once()
    {
        _life.StaysDown = true;

        Assert.Same(ReplicaLife.Decision.Nothing, End());
        Assert.IsType<ReplicaLife.Decision.Restart>(End());
    }

    [Fact]
    public void A_start_that_fails_is_an_end()
    {
        _life.Next(KnownResourceStates.Starting);

        Assert.IsType<ReplicaLife.Decision.Restart>(_life.Next(KnownResourceStates.FailedToStart));
    }

    [Fact]
    public void An_end_that_is_reported_again_counts_once()
    {
        End();

        Assert.Same(ReplicaLife.Decision.Nothing, _life.Next(KnownResourceStates.Exited));
    }

    private ReplicaLife.Decision End(TimeSpan uptime = default)
    {
        _life.Next(KnownResourceStates.Starting);
        _life.Next(KnownResourceStates.Running);
        _clock.Advance(uptime);
        return _life.Next(KnownResourceStates.Exited);
    }
}
