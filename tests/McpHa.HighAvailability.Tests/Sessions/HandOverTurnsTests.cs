using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests.Sessions;

/// <summary>How fast idle sessions follow one another when a replica drains.</summary>
public sealed class HandOverTurnsTests
{
    private readonly NotedTime _time = new();

    [Theory]
    [InlineData(10, 20)]
    [InlineData(3_000, 100)]
    public async Task After_each_hand_over_others_have_twice_its_time_and_not_for_ever(int took, int rests)
    {
        using var turn = await new HandOverTurns(_time, 1).EnterAsync(CancellationToken.None);
        _time.Now += TimeSpan.FromMilliseconds(took);

        await turn.RestAsync(CancellationToken.None);

        Assert.Equal([TimeSpan.FromMilliseconds(rests)], _time.Waited);
    }

    [Fact]
    public async Task Nobody_rests_when_time_runs_out()
    {
        using var turn = await new HandOverTurns(_time, 1).EnterAsync(CancellationToken.None);
        _time.Now += TimeSpan.FromMilliseconds(10);

        await turn.RestAsync(new CancellationToken(canceled: true));

        Assert.Empty(_time.Waited);
    }

    [Fact]
    public async Task Only_so_many_have_a_turn_at_the_same_time()
    {
        var turns = new HandOverTurns(_time, 2);
        var first = await turns.EnterAsync(CancellationToken.None);
        using var second = await turns.EnterAsync(CancellationToken.None);

        var third = turns.EnterAsync(CancellationToken.None).AsTask();
        Assert.False(third.IsCompleted);
        first.Dispose();

        using var entered = await third;
    }

    /// <summary>Stands still: a wait ends at once, and its duration is noted.</summary>
    private sealed class NotedTime : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromDays(1);

        public List<TimeSpan> Waited { get; } = [];

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waited.Add(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
