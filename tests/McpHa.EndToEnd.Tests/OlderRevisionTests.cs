using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Clients of older revisions, whose streams do not begin with an id: nothing tells them from where to resume.</summary>
public sealed class OlderRevisionTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    // In milliseconds.
    private const int LongestInterval = 16_000;

    [Theory]
    [InlineData("2024-11-05")]
    [InlineData("2025-03-26")]
    [InlineData("2025-06-18")]
    public async Task A_call_that_has_sent_nothing_yet_finishes_on_the_same_HTTP_response_after_kill(string version)
    {
        using var client = new RawClient(Cluster.Endpoint);
        await client.InitializeAsync(version);
        for (var interval = 500; ; interval *= 2)
        {
            var posting = client.PostAsync(
                RawClient.ToolCall($"steps-{interval}", "countdown", new { seconds = 2 * interval / 1000d, intervalMs = interval }, progressToken: "steps"));
            var owner = await OwnerOf(client);
            var sent = posting.IsCompleted;
            owner.Kill();

            using var response = await posting;
            await response.Read().WaitAsync(Limit);
            Assert.All(response.Events, e => Assert.NotNull(e.Message));
            Assert.Equal([1, 2], response.Messages.SkipLast(1).Select(m => (int)m["params"]!["progress"]!));
            Assert.Equal("liftoff", (string?)response.Messages[^1]["result"]!["content"]![0]!["text"]);
            if (!sent)
                return;

            // Too slow for the first step: again with one that comes later. Headers that go out before it are sent whatever the interval is.
            Assert.True(interval < LongestInterval, "headers alone help such a client to nothing, and must not be sent");
        }
    }

    [Theory]
    [InlineData("2025-03-26")]
    [InlineData("2025-06-18")]
    public async Task A_GET_stream_that_has_sent_nothing_yet_goes_on_after_kill(string version)
    {
        using var listener = new RawClient(Cluster.Endpoint);
        await listener.InitializeAsync(version);
        using var stream = await listener.GetAsync();
        var owner = await OwnerOf(listener);
        using var announcer = At(await AnotherAsync(owner.Replica), null);
        await announcer.InitializeAsync();

        owner.Kill();
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(listener)).Epoch);
        await announcer.CallAsync(1, "announce", new { text = "1" });

        await stream.EventAsync(e => e.Announcement == "1", "the announcement");
        Assert.All(stream.Events, e => Assert.NotNull(e.Message));
    }
}
