using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>What counts as a pause, and whose it is.</summary>
[Trait("Category", "Quick")]
public sealed class PauseTests
{
    [Fact]
    public void A_quick_call_pauses_for_what_it_takes_beyond_the_usual_from_the_fault_on()
    {
        var story = OfTwoSessions();
        for (var call = 0; call < 10; call++)
            story.Echo(A);
        story.Fault(FaultKind.Kill, () =>
        {
            var call = story.Begin(A, "echo");
            story.Wait(0.5);
            story.End(call);
        });

        var pause = Assert.Single(story.Check().Pauses, pause => pause.Session == A);

        Assert.InRange(pause.Length.TotalSeconds, 0.49, 0.53);
        Assert.Equal((1, FaultKind.Kill, false), (pause.Fault, pause.Kind, pause.WasRunning));
    }

    [Fact]
    public void What_a_countdown_has_to_count_again_is_its_own_time()
    {
        var story = OfTwoSessions();
        var call = story.BeginCountdown(A, 6);
        for (var step = 1; step <= 4; step++)
        {
            story.Wait(0.04);
            story.Step(call, step);
        }

        story.Fault(FaultKind.Kill, () =>
        {
            // A fifth of a second, and five steps of a twentieth.
            story.Wait(0.2 + (5 * 0.05));
            story.Step(call, 5);
            story.Wait(0.04);
            story.Step(call, 6);
            story.End(call);
        });

        var pause = Assert.Single(story.Check().Pauses, pause => pause.Session == A);

        Assert.InRange(pause.Length.TotalSeconds, 0.19, 0.23);
        Assert.True(pause.WasRunning);
    }

    [Theory]
    [InlineData(nameof(FaultKind.Balancer))]
    [InlineData(nameof(FaultKind.Term))] // calls in flight finish first
    public void Under_a_fault_that_runs_nothing_again_every_step_counts(string kind)
    {
        var story = OfTwoSessions();
        var call = story.BeginCountdown(A, 6);
        for (var step = 1; step <= 4; step++)
            story.Step(call, step);
        story.Fault(Enum.Parse<FaultKind>(kind), () =>
        {
            story.Wait(0.45);
            story.Step(call, 5);
            story.Step(call, 6);
            story.End(call);
        });

        Assert.InRange(Assert.Single(story.Check().Pauses, pause => pause.Session == A).Length.TotalSeconds, 0.39, 0.43);
    }

    [Fact]
    public void A_session_that_the_fault_does_not_touch_or_that_does_nothing_has_no_pause()
    {
        var story = OfTwoSessions();
        story.Open("idle");
        story.Fault(FaultKind.Kill, () => story.Echo(B), A, "idle");

        Assert.Empty(story.Check().Pauses);
    }

    [Fact]
    public void What_a_session_sees_that_is_not_hit_is_counted_apart_unless_another_fault_hits_it()
    {
        var story = OfTwoSessions();
        story.Fault(FaultKind.Kill, () => Late(B), A);
        Assert.Empty(story.Check().Pauses);
        Assert.InRange(Assert.Single(story.Check().Elsewhere).Length.TotalSeconds, 0.29, 0.33);

        story.Fault(FaultKind.Kill, () => story.Fault(FaultKind.Pause, () => Late(B), B), A);
        Assert.Single(story.Check().Elsewhere);
        Assert.Equal(FaultKind.Pause, Assert.Single(story.Check().Pauses).Kind);

        void Late(string session)
        {
            story.Echo(session);
            story.Echo(session);
            story.Echo(session);
            var call = story.Begin(session, "echo");
            story.Wait(0.3);
            story.End(call);
        }
    }

    [Fact]
    public void The_next_fault_of_the_same_session_ends_the_time_of_the_first()
    {
        var story = OfTwoSessions();
        story.Fault(FaultKind.Kill, () => story.Fault(FaultKind.Pause, () =>
        {
            var call = story.Begin(A, "echo");
            story.Wait(1);
            story.End(call);
        }));

        Assert.Equal(FaultKind.Pause, Assert.Single(story.Check().Pauses, pause => pause.Length > TimeSpan.FromSeconds(0.9)).Kind);
    }

    [Fact]
    public void A_silence_that_the_next_fault_prolongs_counts_whole()
    {
        var story = OfTwoSessions();
        long call = 0;
        story.Fault(FaultKind.Balancer, () =>
        {
            call = story.Begin(A, "echo");
            story.Wait(2.7);
        });
        story.Fault(FaultKind.Pause, () =>
        {
            story.Wait(0.6);
            story.End(call);
        });

        var pauses = story.Check().Pauses.Where(pause => pause.Session == A).ToList();

        Assert.InRange(Assert.Single(pauses, pause => pause.Kind == FaultKind.Balancer).Length.TotalSeconds, 3.29, 3.4);
        Assert.InRange(Assert.Single(pauses, pause => pause.Kind == FaultKind.Pause).Length.TotalSeconds, 0.59, 0.65);
    }

    [Fact]
    public void A_silence_between_two_steps_that_the_next_fault_prolongs_counts_whole()
    {
        var story = OfTwoSessions();
        var call = story.BeginCountdown(A, 2);
        story.Step(call, 1);
        story.Fault(FaultKind.Balancer, () => story.Wait(1), A);
        story.Fault(FaultKind.Balancer, () => story.Wait(1), A);
        story.Step(call, 2);
        story.End(call);

        Assert.InRange(story.Check().Pauses.Max(pause => pause.Length).TotalSeconds, 1.94, 2.1);
    }

    [Fact]
    public void Percentiles_are_figures_that_were_measured()
    {
        var figures = PauseFigures.Of(Enumerable.Range(1, 200).Select(n => TimeSpan.FromMilliseconds(n)));

        Assert.Equal(new PauseFigures(200, 100, 198, 200), figures);
    }

    [Fact]
    public void A_99th_percentile_takes_a_hundred_values()
    {
        Assert.Null(PauseFigures.Of(Enumerable.Repeat(TimeSpan.FromSeconds(1), 99)).P99);
        Assert.Equal(1000, PauseFigures.Of(Enumerable.Repeat(TimeSpan.FromSeconds(1), 100)).P99);
    }
}
