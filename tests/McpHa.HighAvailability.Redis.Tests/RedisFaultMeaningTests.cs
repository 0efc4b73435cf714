using System.IO.Pipelines;
using System.Net.Sockets;
using Mcp.HighAvailability.Redis;

namespace McpHa.Tests;

/// <summary>What the exceptions of the Redis client are taken for.</summary>
public sealed class RedisFaultMeaningTests
{
    [Fact]
    public void A_connection_that_ends_while_it_is_written_to_is_a_Redis_that_is_away()
    {
        var writer = new Pipe().Writer;
        writer.Complete();
        var thrown = Assert.Throws<InvalidOperationException>(() => writer.GetMemory());

        Assert.All((Exception[])[thrown, new IOException(), new SocketException()], fault =>
        {
            Assert.True(RedisFaults.Concerns(fault, CancellationToken.None));
            Assert.NotNull(RedisFaults.Unavailability(fault));
        });
    }

    [Fact]
    public void A_mistake_of_our_own_is_none() => Assert.False(RedisFaults.Concerns(new InvalidOperationException("no connection is registered"), CancellationToken.None));
}
