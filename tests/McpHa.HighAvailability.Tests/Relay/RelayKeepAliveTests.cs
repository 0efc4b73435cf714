using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests;

/// <summary>Keep-alive comments cost nothing while no stream is open.</summary>
public sealed class RelayKeepAliveTests
{
    [Fact]
    public void The_timer_runs_only_while_there_are_streams()
    {
        using var keepAlive = new RelayKeepAlive(TimeSpan.FromDays(1));
        Assert.False(keepAlive.Runs);

        var stream = new RelayClient(new DefaultHttpContext(), keepAlive);
        keepAlive.Add(stream);
        Assert.True(keepAlive.Runs);
        keepAlive.Remove(stream);
        keepAlive.Tick();
        Assert.False(keepAlive.Runs);

        keepAlive.Add(stream);
        Assert.True(keepAlive.Runs);
        keepAlive.Remove(stream);
    }
}
