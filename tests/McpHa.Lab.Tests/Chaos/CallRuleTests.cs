using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>What is heard of a call: its result, its progress, and nothing after it.</summary>
[Trait("Category", "Quick")]
public sealed class CallRuleTests
{
    [Fact]
    public void A_result_that_is_not_what_was_asked_for() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
        story.End(story.Begin(A, "echo", new(true, TimeSpan.Zero) { Text = "mine" }), wrong ? "somebody else's" : "mine"));

    [Fact]
    public void A_result_that_does_not_match() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
        story.End(story.Begin(A, "echo", new(true, TimeSpan.Zero) { Pattern = new("^delivered by ") }), wrong ? "liftoff" : "delivered by 1"));

    [Fact]
    public void An_answer_of_a_former_owner() => Finds(ViolationKind.OutOfOrder, (story, wrong) =>
    {
        foreach (var epoch in (long[])[1, 2, wrong ? 1 : 2])
            story.End(story.Begin(A, "where_am_i", new(true, TimeSpan.Zero) { TellsEpoch = true }), "", new JsonObject { ["epoch"] = epoch });
    });

    [Theory]
    [InlineData(nameof(ViolationKind.Doubled), new double[] { 1, 2, 2, 3 })]
    [InlineData(nameof(ViolationKind.OutOfOrder), new double[] { 1, 3, 2 })]
    [InlineData(nameof(ViolationKind.Lost), new double[] { 1, 3 })]
    [InlineData(nameof(ViolationKind.Lost), new double[] { 1, 2 })]
    [InlineData(nameof(ViolationKind.FromNowhere), new double[] { 1, 2, 3, 4 })]
    public void Progress_other_than_every_step_once_and_in_order(string kind, double[] heard) => Finds(Enum.Parse<ViolationKind>(kind), (story, wrong) =>
    {
        var call = story.BeginCountdown(A, 3);
        foreach (var step in wrong ? heard : [1, 2, 3])
            story.Step(call, step);
        story.End(call);
    });

    [Fact]
    public void A_gap_in_the_progress_of_a_call_that_has_no_result() => Finds(ViolationKind.Lost, (story, wrong) =>
    {
        var call = story.BeginCountdown(A, 10);
        story.Step(call, 1);
        story.Step(call, wrong ? 3 : 2);
        story.Cancel(call);
        story.Outcome(call, new(OutcomeKind.Cancelled));
    });

    [Fact]
    public void A_step_after_the_response() => Finds(ViolationKind.Late, (story, wrong) =>
    {
        var call = story.BeginCountdown(A, 2);
        story.Step(call, 1);
        if (!wrong)
            story.Step(call, 2);
        story.End(call);
        if (wrong)
            story.Step(call, 2);
    });

    [Fact]
    public void A_second_response() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        story.End(call);
        if (wrong)
            story.Response(call);
    });

    [Fact]
    public void A_response_that_nobody_waits_for() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        if (wrong)
            story.Add(at => new AnswerReceived(at, A, null));
    });

    [Fact]
    public void A_response_in_another_session() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        story.Add(at => new AnswerReceived(at, wrong ? B : A, call));
        story.Outcome(call, new(OutcomeKind.Result));
    });

    [Fact]
    public void A_cancelled_call_that_goes_on() => Finds(ViolationKind.Late, (story, wrong) =>
    {
        var call = story.BeginCountdown(A, 100);
        story.Step(call, 1);
        story.Cancel(call);
        story.Outcome(call, new(OutcomeKind.Cancelled));
        story.Step(call, 2);
        story.Wait(10);
        if (wrong)
            story.Step(call, 3);
    });
}
