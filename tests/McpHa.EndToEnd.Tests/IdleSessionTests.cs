using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is killed while nothing is going on.</summary>
public sealed class IdleSessionTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Nginx)]
    [InlineData(ClientKind.CSharp, Access.NonOwner)]
    public async Task An_idle_session_goes_on_with_its_state_after_kill_of_its_owner(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        await client.CallAsync("notes_add", new { text = "before" });
        await client.CallAsync("counter_increment");
        var owner = await OwnerOf(client);

        owner.Kill();

        var notes = await client.AskAsync("notes_add", new { text = "after" });
        Assert.Equal(["before", "after"], notes["notes"]!.AsArray().Select(note => (string)note!));
        Assert.Equal(2, (long)(await client.AskAsync("counter_increment"))["value"]!);
        var successor = await OwnerOf(client);
        Assert.Equal(client.SessionId, owner.Session);
        Assert.Equal(client.SessionId, successor.Session);
        Assert.NotEqual(owner.Replica, successor.Replica);
        Assert.Equal(owner.Epoch + 1, successor.Epoch);
        AssertNoTrouble(client, access);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Balancer)]
    [InlineData(ClientKind.CSharp, Access.Nginx)]
    public async Task Log_level_and_subscription_are_kept_after_kill_of_the_owner(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        await client.RequestAsync("logging/setLevel", new { level = "error" });
        await client.RequestAsync("resources/subscribe", new { uri = "announcements://board/latest" });
        var owner = await OwnerOf(client);
        using var announcer = At(await AnotherAsync(owner.Replica), null);
        await announcer.InitializeAsync();

        owner.Kill();
        var successor = await OwnerOf(client);

        Assert.NotEqual(owner.Replica, successor.Replica);
        await announcer.CallAsync(1, "announce", new { text = "too low a level" });
        await Wait.UntilAsync(() => Updates() == 1, "the subscribed resource's update to arrive");
        await client.RequestAsync("logging/setLevel", new { level = "info" });
        await announcer.CallAsync(2, "announce", new { text = "high enough" });
        await Wait.UntilAsync(() => client.Announcements.Count > 0 && Updates() == 2, "the announcement and the second update to arrive");
        Assert.Equal(["high enough"], client.Announcements);

        int Updates() => client.Notifications.Count(n => n.Method == "notifications/resources/updated");
    }
}
