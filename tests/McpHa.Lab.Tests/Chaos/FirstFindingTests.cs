using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>The look at a history that goes on.</summary>
[Trait("Category", "Quick")]
public sealed class FirstFindingTests
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(90);

    [Fact]
    public void What_no_later_event_can_excuse_is_found_while_the_run_goes_on()
    {
        var story = Story.OfTwoSessions();
        var call = story.BeginCountdown(A, 2);
        story.Step(call, 1);
        story.Step(call, 1);
        story.Wait(100);
        story.Echo(B);

        var found = First(story);

        Assert.Equal((ViolationKind.Doubled, call), (found!.Kind, found.Call));
        Assert.NotEmpty(found.Around);
    }

    [Fact]
    public void What_may_still_come_right_is_not_held_against_anybody()
    {
        var story = Story.OfTwoSessions();
        story.Options = story.Options with { FinalReadings = true, Tools = ["echo", "deliver"] };
        story.BeginCountdown(A, 2);
        story.Subscribe(B);
        story.Announce(A, "news");
        story.Delivered("a parcel whose call the history does not have yet");

        Assert.Null(First(story));
        Assert.NotEmpty(story.Check().Violations);
    }

    [Fact]
    public void Nothing_is_said_of_a_run_in_which_nothing_is_wrong()
    {
        var story = Story.OfTwoSessions();
        story.Wait(100);
        story.Echo(A);

        Assert.Null(First(story));
    }

    private static Violation? First(Story story) => Checker.FirstSoFar(story.Events, story.Deliveries, story.Options, Settled);
}
