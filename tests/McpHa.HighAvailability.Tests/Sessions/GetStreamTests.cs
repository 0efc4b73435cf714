using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>GET streams, messages that wait for one, and resuming of streams of every kind.</summary>
public sealed class GetStreamTests
{
    [Fact]
    public async Task Messages_that_waited_go_to_the_next_stream_once_and_in_order()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        for (var n = 1; n <= 3; n++)
            await SendAsync(cluster[0], client, n);
        await cluster.CutOffAsync(cluster[0]);
        await client.CallAsync(cluster[1], "again");
        await SendAsync(cluster[1], client, 4);

        using var stream = await client.GetAsync(cluster[1]);
        Assert.Equal([1, 2, 3, 4], await NumbersAsync(stream, 4));
        await SendAsync(cluster[1], client, 5);
        Assert.Equal([5], await NumbersAsync(stream, 1));
        using var other = await client.GetAsync(cluster[1]);
        await SendAsync(cluster[1], client, 6);
        Assert.Equal([6], await NumbersAsync(other, 1));
    }

    [Fact]
    public async Task Messages_that_come_while_waiting_ones_are_delivered_queue_up_behind_them()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var session = cluster[0].Session(client.SessionId!)!;
        for (var n = 1; n <= 20; n++)
            await SendAsync(cluster[0], client, n);
        var moving = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Remove.Count > 0);
        using var stream = await client.GetAsync(cluster[0]);
        await moving.Reached;
        List<Task> sending = [.. Enumerable.Range(21, 20).Select(n => SendAsync(cluster[0], client, n))];
        moving.LetGo();
        await Task.WhenAll(sending);

        Assert.Equal(Enumerable.Range(1, 40), await NumbersAsync(stream, 40));
        Assert.Equal(0, session.Runner.Read(static core => core.GetStreams.WaitingCount));
        Assert.Equal(40, cluster.Journal(client.SessionId!).Count);
    }

    [Fact]
    public async Task Waiting_messages_survive_several_streams_that_open_at_once_and_are_delivered_once()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        for (var n = 1; n <= 10; n++)
            await SendAsync(cluster[0], client, n);
        var streams = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => client.GetAsync(cluster[0])));
        await Wait.UntilAsync(
            () => cluster[0].Session(client.SessionId!)!.Runner.Read(static core => core.GetStreams.WaitingCount) == 0, "the messages to be moved");
        await SendAsync(cluster[0], client, 11);

        // Which stream got them does not matter. Each is read up to the first number that says that no more can come.
        var entries = cluster.Journal(client.SessionId!);
        Assert.All(entries, e => Assert.StartsWith("g1x", e.Stream, StringComparison.Ordinal));
        Assert.Equal(Enumerable.Range(1, 11), entries.Select(e => (int)JsonNode.Parse(e.Payload.Span)!["params"]!["data"]!));
        foreach (var stream in streams)
            stream.Dispose();
    }

    [Fact]
    public async Task Only_so_many_messages_wait_and_the_oldest_are_given_up()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        for (var n = 1; n <= GetStreams.MaxWaiting + 10; n++)
            await SendAsync(cluster[0], client, n);
        Assert.Equal(GetStreams.MaxWaiting, cluster.Journal(client.SessionId!).Count);

        using var stream = await client.GetAsync(cluster[0]);
        Assert.Equal(Enumerable.Range(11, GetStreams.MaxWaiting), await NumbersAsync(stream, GetStreams.MaxWaiting));
    }

    [Fact]
    public async Task The_newest_stream_gets_the_messages_and_older_ones_stay_open()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        using var old = await client.GetAsync(cluster[0]);
        var newer = await client.GetAsync(cluster[0]);
        await SendAsync(cluster[0], client, 1);
        Assert.Equal([1], await NumbersAsync(newer, 1));
        newer.Dispose();
        var session = cluster[0].Session(client.SessionId!)!;
        await Wait.UntilAsync(() => session.ReaderCount == 1, "the newer stream to be gone");

        await SendAsync(cluster[0], client, 2);

        Assert.Equal([2], await NumbersAsync(old, 1));
    }

    [Fact]
    public async Task A_stream_goes_on_at_the_next_owner_with_nothing_lost_or_doubled()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await SendAsync(cluster[0], client, 1);
        await SendAsync(cluster[0], client, 2);
        Assert.Equal([1], await NumbersAsync(stream, 1));
        var seen = stream.LastId;
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], seen);
        await SendAsync(cluster[1], client, 3);

        Assert.Equal([2, 3], await NumbersAsync(resumed, 2));
        Assert.Null(resumed.Seen[0].Message);
        Assert.Equal(seen, resumed.Seen[0].Id);
        Assert.Equal(resumed.Seen.Select(e => e.Id).Distinct(), resumed.Seen.Select(e => e.Id));
    }

    [Fact]
    public async Task A_stream_that_is_resumed_gives_its_own_messages_only()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await SendAsync(cluster[0], client, 100);
            await run.ProgressAsync(2);
            return "done";
        };
        using var get = await client.GetAsync(cluster[0]);
        await get.NextAsync();
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await call.MessagesAsync();

        using var again = await client.GetAsync(cluster[0], call.Seen[1].Id);
        var rest = await again.MessagesAsync();
        using var getAgain = await client.GetAsync(cluster[0], get.LastId);

        Assert.Equal(2, rest.Count);
        Assert.Equal(2, (double)rest[0]["params"]!["progress"]!);
        Assert.Equal([100], await NumbersAsync(getAgain, 1));
        using var nothing = await client.GetAsync(cluster[0], call.LastId);
        Assert.Equal(HttpStatusCode.NoContent, nothing.Status);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("g1x1")]
    [InlineData("g1x1-")]
    [InlineData("g01x1-1")]
    [InlineData("w-1")]
    [InlineData("c1x1-999999999999999999999999")]
    [InlineData("g1x1-1000")]
    [InlineData("g9x1-1")]
    [InlineData("c9x1-0")]
    [InlineData("g1x7-0")]
    [InlineData("c1x7-0")]
    public async Task Event_ids_that_were_not_given_here_are_refused(string id)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await SendAsync(cluster[0], client, 1);

        using var refused = await client.GetAsync(cluster[0], id);

        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.NotNull((string?)(await refused.JsonAsync())["error"]!["message"]);
    }

    [Fact]
    public async Task A_client_that_asks_for_what_was_trimmed_is_told_so()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.JournalEntries = 16);
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await SendAsync(cluster[0], client, 1);
        await NumbersAsync(stream, 1);
        var seen = stream.LastId;
        for (var n = 2; n <= 40; n++)
            await SendAsync(cluster[0], client, n);

        using (var refused = await client.GetAsync(cluster[0], seen))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
            Assert.Equal(-32013, (int)(await refused.JsonAsync())["error"]!["code"]!);
        }

        // Also when nothing of the stream is left, because others have filled the journal since.
        using var other = await client.GetAsync(cluster[0]);
        for (var n = 41; n <= 80; n++)
            await SendAsync(cluster[0], client, n);
        await NumbersAsync(other, 40);
        Assert.DoesNotContain(cluster.Journal(client.SessionId!), e => e.Stream == "g1x1");
        using var emptied = await client.GetAsync(cluster[0], seen);
        Assert.Equal(HttpStatusCode.BadRequest, emptied.Status);
        Assert.Equal(-32013, (int)(await emptied.JsonAsync())["error"]!["code"]!);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_loses_nothing_and_holds_up_nobody()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.JournalBytes = 64 * 1024 * 1024);
        using var client = await cluster.ConnectAsync();
        const int count = 900;
        var text = new string('x', 20_000);
        cluster.Tool.Body = async run =>
        {
            for (var n = 0; n < count; n++)
                await run.LogAsync($"{n} {text}");
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once"));
        await Wait.UntilAsync(() => cluster.Journal(client.SessionId!).Any(e => e.Answers.Length > 0), "the call to end although the client does not read");

        var messages = await call.MessagesAsync();

        Assert.Equal(count + 1, messages.Count);
        Assert.Equal(Enumerable.Range(0, count), messages.SkipLast(1).Select(m => int.Parse(((string)m["params"]!["data"]!).Split(' ')[0])));
    }

    [Fact]
    public async Task A_client_that_is_too_slow_for_the_journal_misses_notifications_and_gets_its_answer()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.JournalEntries = 32);
        using var client = await cluster.ConnectAsync();
        var text = new string('x', 50_000);
        cluster.Tool.Body = async run =>
        {
            for (var n = 0; n < 600; n++)
                await run.LogAsync($"{n} {text}");
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once"));
        await Wait.UntilAsync(() => cluster.Journal(client.SessionId!).Any(e => e.Answers.Length > 0), "the call to end although the client does not read");

        List<int> got = [];
        var messages = await call.MessagesAsync();
        foreach (var message in messages.SkipLast(1))
            got.Add(int.Parse(((string)message["params"]!["data"]!).Split(' ')[0]));

        Assert.Equal("done", RawClient.TextOf(messages[^1]));
        Assert.True(got.Count < 600);
        Assert.Equal(got.Distinct().Order(), got);
    }

    [Fact]
    public async Task What_the_server_asks_outside_of_a_call_goes_to_a_get_stream_or_fails_at_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var session = cluster[0].Session(client.SessionId!)!;
        var question = new ModelContextProtocol.Protocol.JsonRpcRequest
        {
            Id = new ModelContextProtocol.Protocol.RequestId(41),
            Method = "elicitation/create",
            Params = new JsonObject { ["message"] = "?" },
        };
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => session.Unrelated.SendAsync(question, CancellationToken.None));
        Assert.Contains("GET stream", e.Message, StringComparison.Ordinal);

        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        await session.Unrelated.SendAsync(question, CancellationToken.None);

        var asked = await stream.MessageAsync();
        Assert.Equal("elicitation/create", (string?)asked["method"]);
        Assert.NotEqual("41", asked["id"]!.ToString());
    }

    private static Task SendAsync(InProcessReplica replica, RawClient client, int n) => replica.Session(client.SessionId!)!.Unrelated.SendAsync(
        new ModelContextProtocol.Protocol.JsonRpcNotification { Method = "notifications/message", Params = new JsonObject { ["level"] = "info", ["data"] = n } },
        CancellationToken.None);

    private static async Task<List<int>> NumbersAsync(Exchange stream, int count)
    {
        List<int> numbers = [];
        while (numbers.Count < count)
            numbers.Add((int)(await stream.MessageAsync())["params"]!["data"]!);
        return numbers;
    }
}
