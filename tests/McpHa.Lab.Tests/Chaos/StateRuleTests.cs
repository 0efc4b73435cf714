using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>What calls leave behind: notes, counters, deliveries.</summary>
[Trait("Category", "Quick")]
public sealed class StateRuleTests
{
    private static readonly CallOutcome MayHaveRun = new(OutcomeKind.RpcError, "may have run", Code: CallOutcome.MayHaveRun);

    [Theory]
    [InlineData(nameof(ViolationKind.Lost), new[] { "1" })]
    [InlineData(nameof(ViolationKind.Doubled), new[] { "1", "2", "2" })]
    [InlineData(nameof(ViolationKind.OutOfOrder), new[] { "2", "1" })]
    [InlineData(nameof(ViolationKind.FromNowhere), new[] { "1", "2", "3" })]
    public void Notes_other_than_the_acknowledged_ones_in_order(string kind, string[] held) => Finds(Enum.Parse<ViolationKind>(kind), (story, wrong) =>
    {
        foreach (var (session, handle) in ((string, string?)[])[(A, null), (B, Handle)])
        {
            if (handle is not null)
                story.Add(at => new SharedOpened(at, handle));
            var (one, two) = (story.BeginNote(session, $"1", handle), 0L);
            story.EndNotes(one, "1");
            two = story.BeginNote(session, "2", handle);
            story.EndNotes(two, wrong && kind == nameof(ViolationKind.OutOfOrder) ? held : ["1", "2"]);
        }

        story.FinalReading(A, 0, wrong ? held : ["1", "2"]);
        story.Add(at => new SharedReading(at, Handle, wrong ? held : ["1", "2"], 1));
    });

    [Fact]
    public void A_note_of_a_cancelled_call_may_be_there_or_not_but_once() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        foreach (var session in (string[])[A, B])
        {
            var call = story.BeginNote(session, "perhaps");
            story.Cancel(call);
            story.Outcome(call, new(OutcomeKind.Cancelled));
        }

        story.FinalReading(A, 0);
        story.FinalReading(B, 0, wrong ? ["perhaps", "perhaps"] : ["perhaps"]);
    });

    [Fact]
    public void A_reading_that_a_later_one_contradicts() => Finds(ViolationKind.OutOfOrder, (story, wrong) =>
    {
        var (one, two) = (story.BeginNote(A, "1"), story.BeginNote(A, "2"));
        story.EndNotes(one, "1", "2");
        story.EndNotes(two, "1", "2");
        story.ListNotes(A, null, wrong ? ["2", "1"] : ["1", "2"]);
    });

    [Theory]
    [InlineData(nameof(ViolationKind.Lost), 1)]
    [InlineData(nameof(ViolationKind.Doubled), 3)]
    public void A_counter_other_than_what_was_acknowledged(string kind, int value) => Finds(Enum.Parse<ViolationKind>(kind), (story, wrong) =>
    {
        story.Count(A, 1);
        story.Count(A, wrong ? value : 2);
        story.Add(at => new SharedOpened(at, Handle));
        story.Count(A, 2, Handle);
        story.Count(B, wrong ? value + 1 : 3, Handle);
    });

    [Theory]
    [InlineData(nameof(ViolationKind.Lost), 1)]
    [InlineData(nameof(ViolationKind.Doubled), 4)]
    public void A_final_counter_other_than_what_was_acknowledged(string kind, int value) => Finds(Enum.Parse<ViolationKind>(kind), (story, wrong) =>
    {
        story.Count(A, 1);
        story.Count(A, 2);
        var call = story.BeginCount(A);
        story.Cancel(call);
        story.Outcome(call, new(OutcomeKind.Cancelled));
        story.FinalReading(A, wrong ? value : 3);
    });

    [Fact]
    public void A_delivery_that_ran_twice() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        story.Fault(FaultKind.Kill, () => story.Outcome(story.BeginDelivery(A, "p"), MayHaveRun));
        story.Delivered("p");
        if (wrong)
            story.Delivered("p");
    });

    [Fact]
    public void A_delivery_that_was_acknowledged_and_never_ran() => Finds(ViolationKind.Lost, (story, wrong) =>
    {
        story.End(story.BeginDelivery(A, "p"));
        if (!wrong)
            story.Delivered("p");
    });

    [Fact]
    public void A_delivery_that_nobody_asked_for() => Finds(ViolationKind.FromNowhere, (story, wrong) =>
    {
        story.End(story.BeginDelivery(A, "p"));
        story.Delivered("p");
        if (wrong)
            story.Delivered("another");
    });
}
