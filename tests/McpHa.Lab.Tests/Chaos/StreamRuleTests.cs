using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>What the server sends by itself: questions, announcements, updates of resources.</summary>
[Trait("Category", "Quick")]
public sealed class StreamRuleTests
{
    [Fact]
    public void A_question_that_is_asked_twice() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        var call = story.BeginQuestion(A, "name?");
        story.Asked(A, "\"q1\"", "name?");
        if (wrong)
            story.Asked(A, "\"q2\"", "name?");
        story.End(call);
    });

    [Fact]
    public void A_question_that_no_call_asks() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        if (wrong)
            story.Asked(A, "\"q1\"", "name?");
    });

    [Fact]
    public void An_answer_to_a_question_that_was_never_asked() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        var call = story.BeginQuestion(A, "name?");
        if (!wrong)
            story.Asked(A, "\"q1\"", "name?");
        story.End(call);
    });

    [Fact]
    public void A_question_after_the_response() => Finds(ViolationKind.Late, (story, wrong) =>
    {
        var call = story.BeginQuestion(A, "name?");
        if (!wrong)
            story.Asked(A, "\"q1\"", "name?");
        story.End(call);
        if (wrong)
            story.Asked(A, "\"q1\"", "name?");
    });

    [Fact]
    public void An_announcement_that_is_heard_twice() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        story.Announce(A, "news");
        story.Heard(A, "news");
        story.Heard(B, "news");
        if (wrong)
            story.Heard(B, "news");
    });

    [Fact]
    public void Announcements_in_another_order() => Finds(ViolationKind.OutOfOrder, (story, wrong) =>
    {
        story.Announce(A, "1");
        story.Announce(A, "2");
        foreach (var text in (string[])["1", "2"])
            story.Heard(A, text);
        foreach (var text in wrong ? (string[])["2", "1"] : ["1", "2"])
            story.Heard(B, text);
    });

    [Fact]
    public void An_announcement_that_is_not_heard_and_no_fault_was_near() => Finds(ViolationKind.Lost, (story, wrong) =>
    {
        void Announce()
        {
            story.Announce(A, "news");
            story.Heard(A, "news");
        }

        story.Fault(FaultKind.Kill, Announce, wrong ? A : B);
        story.Wait(20);
    });

    [Fact]
    public void An_announcement_that_is_not_heard_and_its_announcer_was_not_cut_off() => Finds(ViolationKind.Lost, (story, wrong) =>
    {
        void Announce()
        {
            story.Announce(A, "news");
            story.Heard(A, "news");
        }

        story.Fault(wrong ? FaultKind.Pause : FaultKind.Cut, Announce, A);
        story.Wait(20);
    });

    [Fact]
    public void An_announcement_for_a_session_that_asked_for_errors() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        story.SetLevel(B, "error");
        story.Announce(A, "news");
        story.Heard(A, "news");
        if (wrong)
            story.Heard(B, "news");
    });

    [Fact]
    public void An_announcement_that_nobody_made() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        story.Announce(A, "news");
        story.Heard(A, "news");
        story.Heard(B, "news");
        if (wrong)
            story.Heard(B, "rumour");
    });

    [Theory]
    [InlineData(nameof(ViolationKind.Lost), 0)]
    [InlineData(nameof(ViolationKind.Doubled), 2)]
    public void Updates_of_a_resource_other_than_once(string kind, int times) => Finds(Enum.Parse<ViolationKind>(kind), (story, wrong) =>
    {
        story.Subscribe(B);
        story.Announce(A, "news");
        story.Heard(A, "news");
        story.Heard(B, "news");
        for (var time = 0; time < (wrong ? times : 1); time++)
            story.Updated(B);
    });

    [Fact]
    public void An_update_for_a_session_that_has_not_subscribed() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        story.Announce(A, "news");
        story.Heard(A, "news");
        story.Heard(B, "news");
        if (wrong)
            story.Updated(B);
    });
}
