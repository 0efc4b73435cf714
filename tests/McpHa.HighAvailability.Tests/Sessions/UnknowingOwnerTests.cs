using System.Net;

namespace McpHa.Tests;

/// <summary>An owner that has lost its session and has not heard of it yet is asked for what only the next owner knows.</summary>
public sealed class UnknowingOwnerTests
{
    [Fact]
    public async Task An_event_id_of_the_next_owner_is_not_refused()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        using var call = await client.PostAsync(cluster[1], client.Call("once", progress: true));
        await call.MessageAsync();
        call.Dispose();
        Assert.True(cluster[0].Session(client.SessionId!)!.Serves);

        using var resumed = await client.GetAsync(cluster[0], call.LastId);
        finish.SetResult();

        Assert.Equal(HttpStatusCode.OK, resumed.Status);
        Assert.Equal("done", RawClient.TextOf(await resumed.AnswerAsync()));
        Assert.Null(cluster[0].Session(client.SessionId!));
    }

    [Fact]
    public async Task An_answer_to_a_question_of_the_next_owner_reaches_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[1], client.Call("once"));
        var question = await call.MessageAsync();

        using var accepted = await client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));

        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.Equal("Ada", RawClient.TextOf(await call.AnswerAsync()));
    }

    [Fact]
    public async Task An_answer_to_a_question_of_the_next_owner_waits_in_one_that_cannot_ask_the_store()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[1], client.Call("once"));
        var question = await call.MessageAsync();

        cluster[0].Store.Away = true;
        var answering = client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));
        await Wait.UntilAsync(() => cluster[0].Store.Refused > 1, "the store to be asked in vain, more than once");
        Assert.False(answering.IsCompleted);
        cluster[0].Store.Away = false;

        using (var accepted = await answering)
            Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.Equal("Ada", RawClient.TextOf(await call.AnswerAsync()));
    }

    [Fact]
    public async Task A_cancellation_of_a_call_of_the_next_owner_reaches_it_also_after_an_answer()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var cancelled = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.AskAsync("name?");
            await run.ProgressAsync(1);
            using var _ = run.Cancelled.Register(() => cancelled.TrySetResult());
            await cluster.Tool.UntilAsync(cancelled.Task);
            return "";
        };
        var request = client.Call("again", progress: true, id: 1);
        using var call = await client.PostAsync(cluster[1], request);
        using (await client.PostAsync(cluster[1], RawClient.Answer(await call.MessageAsync(), "Ada")))
            await call.MessageAsync();

        using var accepted = await client.PostAsync(cluster[0], RawClient.Cancel(request));

        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        await cancelled.Task.WaitAsync(Wait.Limit);
    }

    [Fact]
    public async Task A_late_answer_to_a_question_outside_of_a_call_is_dropped_once_its_owner_is_lost()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[1], client.Call("once"));
        var question = await call.MessageAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            var late = RawClient.Answer(question, "to somebody else");
            late["id"] = "s1x1";
            using var accepted = await client.PostAsync(replica, late);
            Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        }

        using (await client.PostAsync(cluster[1], RawClient.Answer(question, "Ada")))
            Assert.Equal("Ada", RawClient.TextOf(await call.AnswerAsync()));
    }
}
