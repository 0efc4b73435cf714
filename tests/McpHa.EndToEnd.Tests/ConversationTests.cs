using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is killed while the client thinks about a question.</summary>
public sealed class ConversationTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private static readonly object Ada = new { action = "accept", content = new { name = "Ada" } };
    private static readonly object Summary = new { role = "assistant", model = "test", content = new { type = "text", text = "In short." } };

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.NonOwner)]
    [InlineData(ClientKind.CSharp, Access.Balancer)]
    public async Task An_elicitation_that_outlives_its_owner_is_asked_once_and_its_answer_arrives(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var call = client.Call("ask_name");
        var question = await client.QuestionAsync();

        owner.Kill();
        Assert.Equal(owner.Epoch + 1, (await OwnerOf(client)).Epoch);
        await question.AnswerAsync(Ada);

        Assert.Equal("Hello, Ada!", (await call.Answer.WaitAsync(Limit)).Text);
        Assert.Single(client.Questions);
        Assert.Equal("elicitation/create", question.Method);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Nginx)]
    [InlineData(ClientKind.CSharp, Access.NonOwner)]
    public async Task A_sampling_request_whose_answer_is_sent_to_a_dead_owner_is_not_asked_again(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var call = client.Call("summarize", new { text = "A long story." });
        var question = await client.QuestionAsync();

        owner.Kill();
        await question.AnswerAsync(Summary);

        Assert.Equal("In short.", (await call.Answer.WaitAsync(Limit)).Text);
        Assert.Single(client.Questions);
        Assert.Equal("sampling/createMessage", question.Method);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Balancer)]
    [InlineData(ClientKind.CSharp, Access.Nginx)]
    public async Task Two_questions_open_at_the_kill_get_their_own_answers(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var owner = await OwnerOf(client);
        var name = client.Call("ask_name");
        await client.QuestionAsync();
        var summary = client.Call("summarize", new { text = "A long story." });
        await client.QuestionAsync(2);

        owner.Kill();
        foreach (var question in client.Questions.Reverse())
            await question.AnswerAsync(question.Method == "elicitation/create" ? Ada : Summary);

        Assert.Equal("Hello, Ada!", (await name.Answer.WaitAsync(Limit)).Text);
        Assert.Equal("In short.", (await summary.Answer.WaitAsync(Limit)).Text);
        Assert.Equal(2, client.Questions.Count);
        AssertNoTrouble(client, access);
    }
}
