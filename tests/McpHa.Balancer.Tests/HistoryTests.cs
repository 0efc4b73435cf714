using Mcp.HighAvailability.Balancer.Status;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>The last hour of the cluster page.</summary>
public sealed class HistoryTests
{
    [Fact]
    public void Minutes_are_kept_for_an_hour()
    {
        var time = new FakeTimeProvider();
        var counts = new MinuteCounts(time);
        counts.Add(3);
        time.Advance(TimeSpan.FromMinutes(1));
        counts.Add(2);
        counts.Add(5);
        Assert.Equal([3L, 7L], counts.Take()[^2..]);

        time.Advance(TimeSpan.FromMinutes(58));
        Assert.Equal((3L, 7L, 10L), (counts.Take()[0], counts.Take()[1], counts.Take().Sum()));

        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal((7L, 7L), (counts.Take()[0], counts.Take().Sum()));

        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(0, counts.Take().Sum());
    }
}
