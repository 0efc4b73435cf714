using System.Net;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>The order of what is written and of what is shown.</summary>
public sealed class CommitOrderTests
{
    [Fact]
    public async Task Fast_shows_before_the_store_has_answered()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.Durability = Durability.Fast);
        using var client = await cluster.ConnectAsync();
        var committing = cluster[0].Store.StopBefore("CommitAsync");

        cluster.Tool.Body = async run =>
        {
            await run.LogAsync("a line");
            return run.Argument;
        };
        Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));

        Assert.Empty(cluster.Journal(client.SessionId!));
        committing.LetGo();
        await Wait.UntilAsync(() => cluster.Journal(client.SessionId!).Count == 2, "line and answer to be written");
    }

    [Theory]
    [InlineData(Durability.Durable)]
    [InlineData(Durability.Fast)]
    public async Task What_many_threads_send_at_once_comes_once_and_in_the_order_of_its_positions(Durability durability)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.Durability = durability, o => o.JournalEntries = 10_000);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(async () =>
            {
                for (var n = 0; n < 100; n++)
                    await run.LogAsync($"{t} {n}");
            })));
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var messages = await call.MessagesAsync();
        var texts = messages.SkipLast(1).Select(m => (string)m["params"]!["data"]!).ToList();

        Assert.Equal(800, texts.Distinct().Count());
        Assert.Equal(800, texts.Count);
        for (var t = 0; t < 8; t++)
            Assert.Equal(Enumerable.Range(0, 100).Select(n => $"{t} {n}"), texts.Where(x => x.StartsWith($"{t} ", StringComparison.Ordinal)));
        var written = cluster.Journal(client.SessionId!).Select(e => e.Position);
        Assert.Equal(call.Seen.Where(e => e.Message is not null).Select(e => long.Parse(e.Id[(e.Id.IndexOf('-', StringComparison.Ordinal) + 1)..])), written);
    }

    [Fact]
    public async Task Fast_resumes_without_a_gap_while_the_store_is_slow()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.Durability = Durability.Fast);
        using var client = await cluster.ConnectAsync();
        var read = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(read.Task);
            await run.ProgressAsync(1);
            await run.ProgressAsync(2);
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await call.NextAsync();
        var primed = call.LastId;
        read.SetResult();
        await call.MessagesAsync();
        var committing = cluster[0].Store.StopBefore("CommitAsync");
        cluster.Tool.Body = async run =>
        {
            await run.LogAsync("a line");
            return "done";
        };
        await client.CallAsync(cluster[0], "again");
        await committing.Reached;

        var resuming = client.GetAsync(cluster[0], primed);
        committing.LetGo();
        using var resumed = await resuming;

        Assert.Equal(3, (await resumed.MessagesAsync()).Count);
    }

    [Fact]
    public async Task Event_ids_that_only_the_client_has_seen_are_not_given_again_and_can_be_resumed_from()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.Durability = Durability.Fast);
        using var client = await cluster.ConnectAsync();
        TaskCompletionSource known = new(), never = new();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(known.Task);
            await run.ProgressAsync(1);
            await run.ProgressAsync(2);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "done";
        };
        var writing = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Count > 0);
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await Wait.UntilAsync(() => cluster.Snapshot(client.SessionId!)!.Calls.Count == 1, "the call to be written down");
        known.SetResult();
        await old.MessageAsync();
        await old.MessageAsync();
        await writing.Reached;
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);

        Assert.Equal(HttpStatusCode.OK, resumed.Status);
        Assert.Equal("done", RawClient.TextOf(await resumed.AnswerAsync()));
        Assert.Empty(old.Seen.Where(e => e.Message is not null).Select(e => e.Id).Intersect(resumed.Seen.Where(e => e.Message is not null).Select(e => e.Id)));
    }

    [Fact]
    public async Task Whoever_waits_for_a_commit_is_told_when_the_session_ends_whether_it_is_under_way_or_not()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var session = cluster[0].Session(client.SessionId!)!;
        var committing = cluster[0].Store.StopBefore("CommitAsync");
        session.Check();
        await committing.Reached;
        var gathering = session.DrainAsync();

        session.Close();
        var after = session.DrainAsync();
        committing.LetGo();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gathering.WaitAsync(Wait.Limit));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => after.WaitAsync(Wait.Limit));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.KeepAsync(TimeSpan.Zero).WaitAsync(Wait.Limit));
    }

    [Fact]
    public async Task A_call_that_is_being_written_down_when_its_session_is_deleted_is_not_left_waiting()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var beginning = cluster[0].Store.StopAfter("CommitAsync", c => ((SessionCommit)c!).Calls.Count > 0);
        var call = client.PostAsync(cluster[0], client.Call("once"));
        await beginning.Reached;

        using (var deleted = await client.DeleteAsync(cluster[0]))
            Assert.Equal(HttpStatusCode.OK, deleted.Status);
        beginning.LetGo();

        using var answered = await call;
        Assert.Equal(HttpStatusCode.NotFound, answered.Status);
        Assert.Equal(0, cluster.Tool.Runs);
    }
}
