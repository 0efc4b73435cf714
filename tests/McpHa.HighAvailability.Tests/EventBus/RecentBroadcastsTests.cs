using McpHa.HighAvailability.EventBus;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What a session that arrives is handed of the broadcasts that its new owner heard before.</summary>
public sealed class RecentBroadcastsTests
{
    // A replica that was frozen, or cut off, hears late what every owner of that time has handed on; the last owner need not have heard it at all.
    [Fact]
    public async Task What_is_heard_late_is_not_taken_for_what_came_between_two_owners()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var session = cluster[0].Session(client.SessionId!)!;
        List<UInt128> handed = [];
        var broadcasts = new RecentBroadcasts(TimeProvider.System) { Hand = (_, _, id) => handed.Add(id) };
        var now = DateTimeOffset.UtcNow;
        UInt128[] ids = [RecentBroadcasts.NewId(now - TimeSpan.FromSeconds(4)), RecentBroadcasts.NewId(now), RecentBroadcasts.NewId(now)];
        foreach (var id in ids)
            broadcasts.Deliver(id, new JsonRpcNotification { Method = NotificationMethods.ToolListChangedNotification }, []);

        broadcasts.Expect(session.Id, session.Epoch, new HashSet<UInt128> { ids[1] });
        broadcasts.Arrive(session, () => { });

        Assert.Equal([ids[2]], handed);
    }
}
