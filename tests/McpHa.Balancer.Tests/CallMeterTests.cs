using Mcp.HighAvailability.Balancer.Status;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

public class CallMeterTests
{
    [Fact]
    public void Rate_and_percentiles_are_those_of_the_last_complete_seconds()
    {
        var clock = new FakeTimeProvider();
        var meter = new CallMeter(clock);
        for (var second = 0; second < 20; second++)
        {
            for (var call = 0; call < 100; call++)
            {
                var begun = meter.Begin();
                clock.Advance(call == 99 ? TimeSpan.FromMilliseconds(5) : TimeSpan.FromMilliseconds(2));
                meter.End(begun);
            }

            clock.SetUtcNow(clock.Start + TimeSpan.FromSeconds(second + 1));
        }

        var figures = meter.Take();
        Assert.Equal((100d, 2000L), (figures.PerSecond, figures.Count));
        Assert.InRange(figures.P50.TotalMilliseconds, 1.86, 2.14);
        Assert.InRange(figures.P99.TotalMilliseconds, 1.86, 2.14);
        var slow = meter.Begin();
        clock.Advance(TimeSpan.FromSeconds(1));
        for (var n = 0; n < 50; n++)
            meter.End(slow);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.InRange(meter.Take().P99.TotalMilliseconds, 930, 1070);

        clock.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal((0d, 2050L), (meter.Take().PerSecond, meter.Take().Count));
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(default, meter.Take() with { PerSecond = 0 });
    }

    [Fact]
    public void A_bucket_is_narrow_enough_wherever_it_is()
    {
        for (var microseconds = 8L; microseconds < 4_000_000_000; microseconds = (long)(microseconds * 1.01) + 1)
            Assert.InRange(CallMeter.MiddleOf(CallMeter.BucketOf(microseconds)) / microseconds, 0.93, 1.07);
        Assert.InRange(CallMeter.BucketOf(long.MaxValue), 0, 255);
        Assert.Equal(0, CallMeter.BucketOf(-1));
    }

    [Fact]
    public void Counting_a_call_allocates_nothing()
    {
        var meter = new CallMeter(TimeProvider.System);
        meter.End(meter.Begin());
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var n = 0; n < 1000; n++)
            meter.End(meter.Begin());
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
