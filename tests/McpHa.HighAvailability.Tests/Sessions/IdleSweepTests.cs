using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>The sweep of idle sessions looks at those that are due.</summary>
public sealed class IdleSweepTests
{
    [Fact]
    public async Task A_session_is_looked_at_when_it_is_due_and_not_with_every_sweep()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var sweep = new IdleSweep(
            cluster[0].Get<SessionHost>(), TimeProvider.System, Options.Create(new SessionStoreOptions()), NullLogger<IdleSweep>.Instance);
        List<RawClient> clients = [];
        for (var n = 0; n < 20; n++)
            clients.Add(await cluster.ConnectAsync());

        Assert.Equal(20, await sweep.SweepAsync(default));
        Assert.Equal(0, await sweep.SweepAsync(default));

        clients.Add(await cluster.ConnectAsync());
        Assert.Equal(1, await sweep.SweepAsync(default));
        Assert.Equal(21, cluster[0].Get<SessionHost>().Looks.Count);
        using (await clients[0].DeleteAsync(cluster[0]))
            Assert.Equal(20, cluster[0].Get<SessionHost>().Looks.Count);
        clients.ForEach(client => client.Dispose());
    }
}
