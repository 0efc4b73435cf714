using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>Sessions as a whole, and histories that say too little.</summary>
[Trait("Category", "Quick")]
public sealed class SessionRuleTests
{
    [Fact]
    public void A_session_that_is_unknown() => Finds(ViolationKind.SessionLost, (story, wrong) =>
    {
        if (wrong)
            story.Add(at => new SessionLost(at, A, "404 to a POST"));
    });

    [Fact]
    public void A_stream_that_cannot_be_opened() => Finds(ViolationKind.Error, (story, wrong) =>
        story.Add(at => new HttpTrouble(at, A, "GET", wrong ? 503 : null, Repeated: true, "made up")));

    [Fact]
    public void A_tool_that_was_never_called() => Finds(ViolationKind.Vacuous, (story, wrong) =>
        story.Options = story.Options with { Tools = wrong ? ["echo", "deliver"] : ["echo"] });

    [Fact]
    public void A_session_that_did_nothing() => Finds(ViolationKind.Vacuous, (story, wrong) =>
    {
        story.Open("idle");
        if (!wrong)
            story.Echo("idle");
    });

    [Fact]
    public void A_session_that_was_not_read_at_the_end() => Finds(ViolationKind.Vacuous, (story, wrong) =>
    {
        story.Options = story.Options with { FinalReadings = true };
        story.FinalReading(A, 0);
        if (!wrong)
            story.FinalReading(B, 0);
    });

    [Fact]
    public void A_history_of_nothing_proves_nothing() =>
        Assert.All(Checker.Check([], [], new(TimeSpan.FromSeconds(60), Direct: false, [])).Violations, v => Assert.Equal(ViolationKind.Vacuous, v.Kind));

    [Fact]
    public void What_is_found_comes_with_the_history_around_it()
    {
        var story = OfTwoSessions();
        var call = story.BeginCountdown(A, 300);
        for (var step = 1; step <= 200; step++)
            story.Step(call, step);
        story.Step(call, 200);
        story.Cancel(call);
        story.Outcome(call, new(OutcomeKind.Cancelled));

        var found = Assert.Single(story.Check().Violations);

        Assert.Contains(found.Around, happened => happened is CallBegun { Tool: "countdown" });
        Assert.Contains(found.Around, happened => happened is ProgressReceived { Progress: 200 });
        Assert.Contains(found.Around, happened => happened is CallEnded { Outcome.Kind: OutcomeKind.Cancelled });
        Assert.True(found.Around.Count < 100);
    }
}
