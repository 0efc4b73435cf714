using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Workload;

namespace McpHa.Tests.Chaos;

/// <summary>What is written down of the messages between a client and its server.</summary>
[Trait("Category", "Quick")]
public sealed class ClientObserverTests
{
    private readonly HistoryLog _history = new();
    private readonly ClientObserver _observer;

    public ClientObserverTests() => _observer = new(_history) { Session = "s" };

    [Theory]
    [InlineData("\"c7\"")] // the token of a C# client
    [InlineData("3")] // a TypeScript client uses the id of the request
    public void Progress_and_responses_are_those_of_their_call(string token)
    {
        Send("""{"id":3,"method":"tools/call","params":{"_meta":{"lab/call":7}}}""");
        Receive("""{"method":"notifications/progress","params":{"progressToken":TOKEN,"progress":2,"total":5}}""".Replace("TOKEN", token, StringComparison.Ordinal));
        Receive("""{"id":3,"result":{}}""");

        Assert.Collection(
            _history.Snapshot(),
            e => Assert.True(e is ProgressReceived { Call: 7, Progress: 2, Total: 5 }),
            e => Assert.True(e is AnswerReceived { Call: 7 }));
    }

    [Fact]
    public void What_belongs_to_no_call_is_written_down_too()
    {
        Receive("""{"id":99,"result":{}}""");
        Receive("""{"method":"notifications/progress","params":{"progressToken":"somebody's","progress":1}}""");

        Assert.Collection(_history.Snapshot(), e => Assert.True(e is AnswerReceived { Call: null }), e => Assert.True(e is ProgressReceived { Call: -1 }));
    }

    [Fact]
    public void Questions_are_told_by_their_text_and_the_answer_depends_on_it()
    {
        Receive("""{"id":"q1","method":"elicitation/create","params":{"message":"What is your name for party-1-2?"}}""");
        Receive("""{"id":"q2","method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"Summarize in one sentence:\n\nstory-1-3"}}]}}""");
        Send("""{"id":"q1","result":{"action":"accept"}}""");

        var events = _history.Snapshot();
        Assert.Equal(
            ["re:party-1-2", "re:story-1-3"],
            events.OfType<QuestionReceived>().Select(asked => Question.Answer(asked.Question)));
        Assert.Equal("\"q1\"", Assert.Single(events.OfType<AnswerGiven>()).RequestId);
    }

    [Fact]
    public void Announcements_and_updates_are_heard_on_the_stream()
    {
        Receive("""{"method":"notifications/message","params":{"level":"info","data":"news"}}""");
        Receive("""{"method":"notifications/resources/updated","params":{"uri":"board"}}""");

        Assert.Equal(["news", "board"], _history.Snapshot().OfType<StreamReceived>().Select(heard => heard.Text));
        Assert.True(_observer.HasHeardUpdate);

        Receive("""{"method":"notifications/message","params":{"level":"info","data":"more news"}}""");

        Assert.False(_observer.HasHeardUpdate);
        Assert.Equal("more news", _observer.LastAnnouncement);
    }

    private void Send(string message) => _observer.Sent(JsonNode.Parse(message)!.AsObject());

    private void Receive(string message) => _observer.Received(JsonNode.Parse(message)!.AsObject());
}
