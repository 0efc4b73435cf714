using System.Net;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>404 is for sessions that are unknown or have ended, on every replica, and for nothing else.</summary>
public sealed class EndedSessionTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task DELETE_ends_the_session_everywhere(Access access)
    {
        using var client = await ConnectRawAsync(access);
        using var stream = await client.GetAsync();
        await stream.EventAsync(e => e.Id is not null, "the stream to begin");
        await client.CallAsync(1, "echo", new { text = "alive" });

        using (var deleted = await client.DeleteAsync())
            Assert.Equal(HttpStatusCode.OK, deleted.Status);

        await stream.Read().WaitAsync(Limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Assert.True(stream.Read().IsCompleted, "The GET stream of an ended session ends.");
        var (first, second, third) = await ReplicasAsync();
        foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(first), LabCluster.EndpointOf(second), LabCluster.EndpointOf(third) })
        {
            using var anywhere = new RawClient(endpoint) { SessionId = client.SessionId };
            await AssertNotFoundAsync(anywhere);
        }
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.NonOwner)]
    [InlineData(ClientKind.CSharp, Access.Balancer)]
    public async Task A_client_that_terminates_its_session_ends_it(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        using var other = At(await AnotherAsync(owner.Replica), client.SessionId);

        await client.TerminateAsync();

        await AssertNotFoundAsync(other);
    }

    [Theory]
    [InlineData("a1b2c3d4e5f60718293a4b5c6d7e8f90")]
    [InlineData("never-opened")]
    [InlineData("strange_id.with%signs")]
    public async Task An_unknown_session_is_404(string session)
    {
        var (replica, _, _) = await ReplicasAsync();
        foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(replica) })
        {
            using var client = new RawClient(endpoint) { SessionId = session };
            await AssertNotFoundAsync(client);
        }
    }

    [Fact]
    public async Task An_id_that_differs_from_a_session_s_only_at_the_end_is_404()
    {
        using var client = await ConnectRawAsync(Access.Balancer);
        var id = client.SessionId!;
        client.SessionId = id[..^1] + (id[^1] == '0' ? '1' : '0');

        await AssertNotFoundAsync(client);
    }

    private static async Task AssertNotFoundAsync(RawClient client)
    {
        using var post = await client.PostAsync(RawClient.ToolCall($"{Guid.NewGuid()}", "echo", new { text = "?" }));
        Assert.Equal(HttpStatusCode.NotFound, post.Status);
        Assert.Equal(-32001, (int)(await post.AnswerAsync())["error"]!["code"]!);
        using var get = await client.GetAsync();
        Assert.Equal(HttpStatusCode.NotFound, get.Status);
        using var delete = await client.DeleteAsync();
        Assert.Equal(HttpStatusCode.NotFound, delete.Status);
    }
}
