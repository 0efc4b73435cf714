using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using static McpHa.Tests.Chaos.Story;

namespace McpHa.Tests.Chaos;

/// <summary>Outcomes of calls. For each thing that the checker looks for: a history with just that wrong is found, and its twin without it passes.</summary>
[Trait("Category", "Quick")]
public sealed class OutcomeRuleTests
{
    private static readonly CallOutcome MayHaveRun = new(OutcomeKind.RpcError, "may have run", Code: CallOutcome.MayHaveRun);

    [Fact]
    public void A_call_that_never_ends() => Finds(ViolationKind.Hung, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        if (!wrong)
            story.End(call);
    });

    [Fact]
    public void A_call_that_is_not_answered_in_time() => Finds(ViolationKind.Hung, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        if (wrong)
            story.Outcome(call, new(OutcomeKind.TimedOut));
        else
            story.End(call);
    });

    [Fact]
    public void A_call_that_ends_twice() => Finds(ViolationKind.Doubled, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        story.End(call);
        if (wrong)
            story.Outcome(call, new(OutcomeKind.Cancelled));
    });

    [Fact]
    public void A_call_that_ends_as_cancelled_though_nobody_cancelled_it() => Finds(ViolationKind.Error, (story, wrong) =>
    {
        var call = story.Begin(A, "echo");
        if (!wrong)
            story.Cancel(call);
        story.Outcome(call, new(OutcomeKind.Cancelled));
    });

    [Theory]
    [InlineData(-32603)]
    [InlineData(-32012)]
    public void An_error_that_is_not_promised(int code) => Finds(ViolationKind.Error, (story, wrong) => story.Fault(FaultKind.Kill, () =>
        story.Outcome(story.BeginDelivery(A, "p"), wrong ? new(OutcomeKind.RpcError, "unavailable", Code: code) : MayHaveRun)));

    [Fact]
    public void A_may_have_run_of_a_call_that_may_run_again() => Finds(ViolationKind.Error, (story, wrong) => story.Fault(FaultKind.Kill, () =>
        story.Outcome(wrong ? story.Begin(A, "echo") : story.BeginDelivery(A, "p"), MayHaveRun)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_may_have_run_of_a_call_that_may_run_again_and_cannot_have_lost_two_owners(bool isHit) =>
        Finds(ViolationKind.Error, (story, wrong) =>
        {
            var call = story.Begin(A, "echo");
            story.Fault(FaultKind.Kill, () => { }, wrong && !isHit ? B : A);
            story.Fault(wrong && isHit ? FaultKind.Balancer : FaultKind.Kill, () => story.Outcome(call, MayHaveRun), B);
        });

    [Fact]
    public void A_may_have_run_of_a_call_that_may_run_again_when_not_all_replicas_were_killed_at_once() => Finds(ViolationKind.Error, (story, wrong) =>
        story.Fault(FaultKind.Kill, hitsAll: !wrong, () => story.Outcome(story.Begin(A, "echo"), MayHaveRun)));

    [Fact]
    public void A_may_have_run_without_a_fault_at_the_owner() => Finds(ViolationKind.Error, (story, wrong) => story.Fault(
        FaultKind.Kill, () => story.Outcome(story.BeginDelivery(A, "p"), MayHaveRun), wrong ? B : A));

    [Fact]
    public void A_may_have_run_because_of_a_balancer() => Finds(ViolationKind.Error, (story, wrong) => story.Fault(
        wrong ? FaultKind.Balancer : FaultKind.Pause, () => story.Outcome(story.BeginDelivery(A, "p"), MayHaveRun)));

    [Fact]
    public void A_broken_connection_with_a_balancer_in_front() => Finds(ViolationKind.Error, (story, wrong) =>
    {
        story.Options = story.Options with { Direct = !wrong };
        story.Fault(FaultKind.Kill, () => story.Outcome(story.Begin(A, "echo"), new(OutcomeKind.TransportError, "reset")));
    });

    [Fact]
    public void A_connection_broken_with_its_balancer_where_the_client_could_resume() => Finds(ViolationKind.Error, (story, wrong) =>
    {
        story.Open("older", wrong ? "2025-11-25" : "2025-06-18");
        story.Echo("older");
        story.Fault(FaultKind.Balancer, () => story.Outcome(story.Begin("older", "echo"), new(OutcomeKind.TransportError, "no reply")));
    });

    [Fact]
    public void A_broken_connection_without_a_fault() => Finds(ViolationKind.Error, (story, wrong) =>
    {
        story.Options = story.Options with { Direct = true };
        void Break() => story.Outcome(story.Begin(A, "echo"), new(OutcomeKind.TransportError, "reset"));
        if (wrong)
            Break();
        else
            story.Fault(FaultKind.Kill, Break);
    });

    [Fact]
    public void A_tool_that_fails() => Finds(ViolationKind.Error, (story, wrong) =>
        story.Outcome(story.Begin(A, "echo"), new(wrong ? OutcomeKind.ToolError : OutcomeKind.Result, "boom")));

    [Fact]
    public void A_handle_that_is_unknown_although_Redis_has_lost_nothing() => Finds(ViolationKind.Error, (story, wrong) =>
    {
        story.Add(at => new SharedOpened(at, Handle));
        story.Fault(wrong ? FaultKind.RedisRestart : FaultKind.RedisWipe, () =>
            story.Outcome(story.BeginCount(A, Handle), new(OutcomeKind.ToolError, "Unknown state handle: it has expired")));
    });
}
