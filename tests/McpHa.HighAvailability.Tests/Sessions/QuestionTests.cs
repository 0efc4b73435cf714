using System.Net;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>What a handler asks its client is asked once, and the answer finds it wherever it runs by then.</summary>
public sealed class QuestionTests
{
    [Fact]
    public async Task An_answer_may_come_through_any_replica()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[0], client.Call("once"));
        var question = await call.MessageAsync();

        using var accepted = await client.PostAsync(cluster[1], RawClient.Answer(question, "Ada"));

        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.Equal("Ada", RawClient.TextOf(await call.AnswerAsync()));
    }

    [Fact]
    public async Task An_answer_given_before_the_take_over_is_not_asked_for_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            var name = await run.AskAsync("name?");
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return name;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var question = await call.MessageAsync();
        using var accepted = await client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));
        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], call.LastId);

        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task An_answer_given_after_the_take_over_reaches_the_next_run_which_does_not_ask_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var question = await call.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], call.LastId);
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2, "the second run");

        using var accepted = await client.PostAsync(cluster[1], RawClient.Answer(question, "Ada"));

        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task An_answer_that_causes_the_take_over_reaches_the_run_that_it_starts()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var asked = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            // The second run comes to its question long after the answer.
            if (run.Replica.ReplicaId == "replica-b")
                await cluster.Tool.UntilAsync(asked.Task);
            return await run.AskAsync("name?");
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var question = await call.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var accepted = await client.PostAsync(cluster[1], RawClient.Answer(question, "Ada"));
        asked.SetResult();
        using var resumed = await client.GetAsync(cluster[1], call.LastId);

        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task An_answer_that_is_being_written_while_the_owner_is_lost_counts_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var question = await call.MessageAsync();
        var writing = cluster[0].Store.StopBefore("CommitAsync", c => ((Mcp.HighAvailability.Storage.SessionCommit)c!).Calls.Any(e => e.Key == (string?)question["id"]));
        var answering = client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));
        await writing.Reached;
        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], call.LastId);
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2, "the second run");

        // The old owner learns that it is none, and passes the answer on to the new one.
        writing.LetGo();

        using var accepted = await answering;
        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Questions_asked_at_the_same_time_keep_their_own_answers(bool same)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            // The second run asks in the opposite order.
            string[] names = run.Replica.ReplicaId == "replica-a" ? ["x", "y", "z"] : ["z", "y", "x"];
            var answers = names.ToDictionary(n => n, n => run.AskAsync(same ? "?" : n));
            await Task.WhenAll(answers.Values);
            return string.Join(' ', answers.OrderBy(a => a.Key).Select(a => a.Value.Result).Order());
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        List<JsonNode> questions = [await call.MessageAsync(), await call.MessageAsync(), await call.MessageAsync()];
        using (await client.PostAsync(cluster[0], RawClient.Answer(questions[1], "2")))
            await cluster.CutOffAsync(cluster[0]);
        using (await client.PostAsync(cluster[1], RawClient.Answer(questions[0], "1")))
        using (await client.PostAsync(cluster[1], RawClient.Answer(questions[2], "3")))
        using (var resumed = await client.GetAsync(cluster[1], call.LastId))
            Assert.Equal("1 2 3", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));

        Assert.Equal(3, questions.Select(q => (string?)q["id"]).Distinct().Count());
    }

    [Fact]
    public async Task Different_questions_of_the_next_run_get_the_answers_that_belong_to_them()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            string[] names = run.Replica.ReplicaId == "replica-a" ? ["x", "y"] : ["y", "x"];
            var answers = names.ToDictionary(n => n, n => run.AskAsync(n));
            await Task.WhenAll(answers.Values);
            return $"x={await answers["x"]} y={await answers["y"]}";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        List<JsonNode> questions = [await call.MessageAsync(), await call.MessageAsync()];
        await cluster.CutOffAsync(cluster[0]);
        foreach (var question in questions)
        {
            var name = (string)question["params"]!["message"]!;
            using var accepted = await client.PostAsync(cluster[1], RawClient.Answer(question, name.ToUpperInvariant()));
        }

        using var resumed = await client.GetAsync(cluster[1], call.LastId);
        Assert.Equal("x=X y=Y", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task The_first_answer_counts_also_for_the_next_run()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            var name = await run.AskAsync("name?");
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return name;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        var question = await call.MessageAsync();
        foreach (var name in new[] { "Ada", "Eve" })
        {
            using var accepted = await client.PostAsync(cluster[0], RawClient.Answer(question, name));
            Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        }

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], call.LastId);

        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task Answers_to_what_was_never_asked_are_nobodys_and_not_kept()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.AskAsync("name?");
        using var call = await client.PostAsync(cluster[0], client.Call("once"));
        var question = await call.MessageAsync();
        var id = (string)question["id"]!;
        foreach (var forged in new JsonNode[] { 1, "1", "s1x1", id + "0", id[..id.IndexOf('q', StringComparison.Ordinal)] + "qffn1", "c9x9qffn1" })
        {
            using var refused = await client.PostAsync(cluster[0], RawClient.Answer(new JsonObject { ["id"] = forged }, "Eve"));
            Assert.Equal(HttpStatusCode.Accepted, refused.Status);
        }

        Assert.Single(cluster.Snapshot(client.SessionId!)!.Calls);
        using var accepted = await client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));
        Assert.Equal("Ada", RawClient.TextOf(await call.AnswerAsync()));
        Assert.Empty(cluster.Snapshot(client.SessionId!)!.Calls);
    }

    [Fact]
    public async Task A_late_answer_to_the_lost_owners_question_is_not_taken_for_the_answer_to_another()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.AskAsync(run.Argument);
        using var first = await client.PostAsync(cluster[0], client.Call("once", "pay?"));
        var old = await first.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var second = await client.PostAsync(cluster[1], client.Call("once", "delete all?"));
        var now = await second.MessageAsync();

        using (await client.PostAsync(cluster[1], RawClient.Answer(old, "yes")))
        using (await client.PostAsync(cluster[1], RawClient.Answer(now, "no")))
            Assert.Equal("no", RawClient.TextOf(await second.AnswerAsync()));
    }
}
