using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Timing;

/// <summary>What waits costs nothing until it is due.</summary>
public sealed class DueTimerTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(8);
    private readonly CountedTimers _time = new();

    [Theory]
    [InlineData(10)]
    [InlineData(10_000)]
    public void A_look_costs_what_is_due_however_much_waits(int waiting)
    {
        var calls = new List<string>();
        using var timer = Timer(calls);
        for (var n = 0; n < waiting; n++)
            timer.Add($"later {n}", Interval);
        _time.Advance(TimeSpan.FromSeconds(1));
        timer.Add("soon", TimeSpan.FromSeconds(2));
        Assert.Empty(calls);

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(["soon"], calls);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Single(calls);

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(waiting + 1, calls.Count);
    }

    [Fact]
    public void Each_item_is_called_once_per_interval_in_its_own_time()
    {
        var calls = new List<string>();
        using var timer = Timer(calls);
        foreach (var name in (string[])["a", "b", "c"])
        {
            timer.Add(name, Interval);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        List<string> seen = [];
        for (var second = 4; second <= 20; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            seen.AddRange(calls.Select(name => $"{name} at {second}"));
            calls.Clear();
        }

        Assert.Equal(["a at 8", "b at 9", "c at 10", "a at 16", "b at 17", "c at 18"], seen);
    }

    [Fact]
    public void What_was_removed_is_not_called_and_leaves_no_room_taken()
    {
        var queue = new DueQueue<string>(_time);
        var kept = queue.Add("kept", Interval);
        var removed = AddAndRemove(queue, 10_000);
        GC.Collect();
        Assert.InRange(removed.Count(place => place.IsAlive), 0, 2_000);
        var twice = queue.Add("gone twice", Interval);
        queue.Remove(twice);
        queue.Remove(twice);
        Assert.Equal(1, queue.Count);

        _time.Advance(Interval);
        Assert.Same(kept, queue.TryTake());
        Assert.Null(queue.TryTake());
        queue.Remove(kept);
        queue.Again(kept, TimeSpan.Zero);
        Assert.Null(queue.TryTake());
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void A_callback_that_fails_keeps_no_other_from_its_turn()
    {
        var calls = new List<string>();
        using var timer = new DueTimer<string>(
            _time,
            TimeSpan.FromSeconds(1),
            item =>
            {
                calls.Add(item);
                return item == "bad" ? throw new InvalidOperationException("bad") : Interval;
            },
            NullLogger.Instance);
        timer.Add("bad", Interval);
        timer.Add("good", Interval);
        _time.Advance(Interval);
        Assert.Equal(["bad", "good"], calls.Order());
        _time.Advance(Interval);
        Assert.Equal(2, calls.Count(static name => name == "good"));
    }

    [Fact]
    public void The_timer_runs_only_while_something_waits()
    {
        using var timer = Timer([]);
        Assert.Equal(0, _time.Starts);
        var due = timer.Add("one", Interval);
        Assert.Equal(1, _time.Starts);
        _time.Advance(Interval);
        Assert.Equal(2, _time.Starts);
        timer.Remove(due);
        _time.Advance(Interval);
        Assert.Equal(2, _time.Starts);
        timer.Add("two", Interval);
        Assert.Equal(3, _time.Starts);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static List<WeakReference> AddAndRemove(DueQueue<string> queue, int count)
    {
        List<WeakReference> places = [];
        for (var n = 0; n < count; n++)
        {
            var due = queue.Add("gone", Interval);
            places.Add(new(due));
            queue.Remove(due);
        }

        return places;
    }

    private DueTimer<string> Timer(List<string> calls) => new(
        _time,
        TimeSpan.FromSeconds(1),
        item =>
        {
            calls.Add(item);
            return Interval;
        },
        NullLogger.Instance);

    /// <summary>Counts how often timers are started.</summary>
    private sealed class CountedTimers : FakeTimeProvider
    {
        public int Starts { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new Counted(this, base.CreateTimer(callback, state, dueTime, period));

        private sealed class Counted(CountedTimers time, ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                time.Starts += dueTime == Timeout.InfiniteTimeSpan ? 0 : 1;
                return timer.Change(dueTime, period);
            }

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }
}
