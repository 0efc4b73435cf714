namespace McpHa.Tests;

/// <summary>Replicas are killed, and their clients do not notice.</summary>
[Collection(ApplicationCollection.Name)]
public sealed class FailoverTests(ApplicationFixture application)
{
    [Fact]
    public async Task A_session_goes_on_when_one_replica_after_the_other_is_killed()
    {
        await using var client = await application.ConnectAsync();
        var session = client.SessionId;

        // One of them is the owner of the session.
        foreach (var replica in application.Replicas)
        {
            await application.KillAndReplaceAsync(replica);
            await client.PingAsync();
        }

        Assert.Equal(session, client.SessionId);
    }
}
