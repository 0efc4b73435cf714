using Mcp.HighAvailability.Balancer.Status;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>What belongs together is one entry of the timeline.</summary>
public sealed class TimelineTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Timeline _timeline;

    public TimelineTests() => _timeline = new(_time);

    [Fact]
    public void A_kill_is_one_entry_whoever_noticed_it_first()
    {
        _timeline.Add(TimelineKind.Joined, "a");
        _timeline.Add(TimelineKind.Joined, "b");
        _time.Advance(TimeSpan.FromMinutes(1));
        var lastHeard = _time.GetUtcNow();
        Later(() => _timeline.Add(TimelineKind.TakenOver, "a", "b", "owner-lost", TimeSpan.FromMilliseconds(9)));
        Later(() => _timeline.Add(TimelineKind.Resumption, "a", "b", "", TimeSpan.FromMilliseconds(12)));
        Later(() => _timeline.Add(TimelineKind.Joined, "c"));
        Later(() => _timeline.AddLost("a", lastHeard));
        Later(() => _timeline.Add(TimelineKind.TakenOver, "a", "b", "owner-lost", TimeSpan.FromMilliseconds(7)));
        Later(() => _timeline.Add(TimelineKind.TakenOver, "a", "c", "owner-lost", TimeSpan.FromMilliseconds(5)));

        var entries = _timeline.Recent();
        Assert.Equal([TimelineKind.Lost, TimelineKind.Joined, TimelineKind.Joined], entries.Select(entry => entry.Kind));
        var kill = entries[0];
        Assert.Equal("a", kill.Replica);
        Assert.Equal(
            [(TimelineKind.TakenOver, "b", 2), (TimelineKind.Resumption, "b", 1), (TimelineKind.Joined, "", 1), (TimelineKind.TakenOver, "c", 1)],
            kill.Followed.Select(entry => (entry.Kind, entry.To, entry.Count)));

        // The loss does not stand behind what followed from it.
        Assert.Equal(kill.Followed[0].Time, kill.Time);
    }

    [Fact]
    public void A_replica_that_joins_after_a_loss_or_a_shutdown_replaces_it()
    {
        _timeline.AddLost("a", _time.GetUtcNow());
        Later(() => _timeline.Add(TimelineKind.Joined, "c"));
        Later(() => _timeline.Add(TimelineKind.Stopping, "b"));
        Later(() => _timeline.Add(TimelineKind.TakenOver, "b", "c", "handed-over", TimeSpan.FromMilliseconds(5)));
        Later(() => _timeline.Add(TimelineKind.Left, "b"));
        Later(() => _timeline.Add(TimelineKind.Joined, "d"));
        Later(() => _timeline.Add(TimelineKind.Joined, "e"));

        var entries = _timeline.Recent();
        Assert.Equal(
            [(TimelineKind.Joined, "e"), (TimelineKind.Stopping, "b"), (TimelineKind.Lost, "a")], entries.Select(entry => (entry.Kind, entry.Replica)));
        Assert.Equal([TimelineKind.TakenOver, TimelineKind.Left, TimelineKind.Joined], entries[1].Followed.Select(entry => entry.Kind));
        Assert.Equal("c", Assert.Single(entries[2].Followed).Replica);
    }

    [Fact]
    public void A_replica_can_be_drained_again()
    {
        foreach (var _ in Enumerable.Range(0, 2))
        {
            Later(() => _timeline.Add(TimelineKind.Drained, "a"));
            Later(() => _timeline.Add(TimelineKind.Resumed, "a"));
        }

        Later(() => _timeline.Add(TimelineKind.RegistryAway));
        Later(() => _timeline.Add(TimelineKind.RegistryBack));

        var entries = _timeline.Recent();
        Assert.Equal([TimelineKind.RegistryAway, TimelineKind.Drained, TimelineKind.Drained], entries.Select(entry => entry.Kind));
        Assert.All(entries, entry => Assert.Single(entry.Followed));
    }

    private void Later(Action act)
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        act();
    }
}
