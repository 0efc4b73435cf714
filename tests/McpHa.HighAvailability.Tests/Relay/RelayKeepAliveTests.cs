using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>Keep-alive comments cost nothing while no stream is open.</summary>
public sealed class RelayKeepAliveTests
{
    [Fact]
    public void The_timer_runs_only_while_there_are_streams()
    {
        var time = new FakeTimeProvider();
        using var keepAlive = new RelayKeepAlive(TimeSpan.FromDays(1), time, NullLogger.Instance);
        Assert.False(keepAlive.Runs);

        var stream = new RelayClient(new DefaultHttpContext(), keepAlive);
        var due = keepAlive.Add(stream);
        Assert.True(keepAlive.Runs);
        keepAlive.Tick();
        Assert.True(keepAlive.Runs);
        keepAlive.Remove(due);
        keepAlive.Tick();
        Assert.False(keepAlive.Runs);

        due = keepAlive.Add(stream);
        Assert.True(keepAlive.Runs);
        keepAlive.Remove(due);
    }
}
