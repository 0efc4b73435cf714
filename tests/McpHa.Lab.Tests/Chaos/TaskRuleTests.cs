using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace McpHa.Tests.Chaos;

/// <summary>What the checker says of tasks.</summary>
[Trait("Category", "Quick")]
public sealed class TaskRuleTests
{
    private readonly Story _story = Story.OfTwoSessions();
    private long _number;

    [Fact]
    public void A_task_that_was_polled_answered_and_heard_to_its_end_passes()
    {
        var task = Create(Report);
        See(task, "working", "1 of 4 pages");
        See(task, "input_required", "2 of 4 pages");
        Answer(task, "q-1");
        See(task, "working", "2 of 4 pages", heard: true);
        End(task, "completed", "Bees: 4 pages, written by r1, r2.");
        End(task, "completed", "Bees: 4 pages, written by r1, r2.", heard: true);

        Assert.Empty(Kinds());
    }

    [Fact]
    public void A_result_of_another_task_is_from_nowhere()
    {
        End(Create(Report), "completed", "Ants: 4 pages, written by r1.");

        Assert.Equal([ViolationKind.FromNowhere], Kinds());
    }

    [Fact]
    public void A_task_that_looks_different_in_the_end_has_ended_twice()
    {
        var task = Create(Report);
        End(task, "completed", "Bees: 4 pages, written by r1.");
        End(task, "completed", "Bees: 4 pages, written by r2.");

        Assert.Equal([ViolationKind.Doubled], Kinds());
    }

    [Fact]
    public void A_task_that_works_again_after_its_end_has_ended_twice()
    {
        var task = Create(Report);
        End(task, "completed", "Bees: 4 pages, written by r1.");
        See(task, "working", "");

        Assert.Equal([ViolationKind.Doubled], Kinds());
    }

    [Fact]
    public void Pages_that_go_back_are_out_of_order()
    {
        var task = Create(Report);
        See(task, "working", "3 of 4 pages");
        See(task, "working", "2 of 4 pages");

        Assert.Equal([ViolationKind.OutOfOrder], Kinds());
    }

    [Fact]
    public void A_question_under_a_second_key_is_asked_twice()
    {
        var task = Create(Report);
        Answer(task, "q-1");
        Answer(task, "q-2");

        Assert.Equal([ViolationKind.Doubled], Kinds());
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void A_task_is_unknown_only_when_it_has_ended_and_the_store_has_lost_its_data(bool wiped, bool passes)
    {
        var task = Create(Report);
        End(task, "completed", "Bees: 4 pages, written by r1.");
        if (wiped)
            _story.Fault(FaultKind.RedisWipe, () => { });
        _story.Add(at => new TaskTrouble(at, task, "tasks/get", TaskTrouble.Unknown, "Unknown task"));

        Assert.Equal(passes ? [] : [ViolationKind.Lost], Kinds());
    }

    [Fact]
    public void A_running_task_is_not_unknown_because_the_store_has_lost_its_data()
    {
        var task = Create(Report);
        _story.Fault(FaultKind.RedisWipe, () => { });
        _story.Add(at => new TaskTrouble(at, task, "tasks/get", TaskTrouble.Unknown, "Unknown task"));

        Assert.Equal([ViolationKind.Lost], Kinds());
    }

    [Fact]
    public void A_task_that_is_waited_for_in_vain_hangs()
    {
        var task = Create(Report);
        _story.Add(at => new TaskGivenUp(at, task, "its end"));

        Assert.Equal([ViolationKind.Hung], Kinds());
    }

    [Fact]
    public void A_cancellation_that_nobody_asked_for_is_from_nowhere()
    {
        End(Create(Report), "cancelled", "");
        var cancelled = Create(Report);
        _story.Add(at => new TaskCancelling(at, cancelled));
        End(cancelled, "cancelled", "");

        Assert.Equal([ViolationKind.FromNowhere], Kinds());
    }

    [Theory]
    [InlineData(false, 0, false)]
    [InlineData(false, 1, true)]
    [InlineData(true, 1, false)]
    [InlineData(true, 2, true)]
    public void May_have_run_is_promised_after_as_many_losses_as_the_rerun_policy_says(bool mayRunAgain, int kills, bool passes)
    {
        var task = Create(mayRunAgain ? Report : Delivery("p"));
        for (var n = 0; n < kills; n++)
            _story.Fault(FaultKind.Kill, () => { });
        End(task, "failed", "-32010");

        Assert.Equal(passes ? [] : [ViolationKind.Error], Kinds());
    }

    [Theory]
    [InlineData(0, nameof(ViolationKind.Lost))]
    [InlineData(1, null)]
    [InlineData(2, nameof(ViolationKind.Doubled))]
    public void A_delivery_that_is_completed_was_made_once(int times, string? found)
    {
        for (var n = 0; n < times; n++)
            _story.Deliveries.Add("""{"parcel":"p"}""");
        End(Create(Delivery("p")), "completed", "delivered by r1");

        Assert.Equal(found is null ? [] : [found], Kinds().Select(kind => $"{kind}"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_call_is_refused_only_during_a_fault(bool fault)
    {
        if (fault)
            _story.Fault(FaultKind.RedisOutage, Refuse);
        else
            Refuse();

        Assert.Equal(fault ? [] : [ViolationKind.Error], Kinds());

        void Refuse()
        {
            var task = ++_number;
            _story.Add(at => new TaskAsked(at, task, "report", Report));
            _story.Add(at => new TaskRefused(at, task, -32012, "away"));
        }
    }

    [Fact]
    public void A_run_that_saw_too_little_of_tasks_proves_nothing()
    {
        _story.Options = _story.Options with { HasTasks = true };
        End(Create(Report), "completed", "Bees: 4 pages, written by r1.");

        Assert.All(Kinds(), kind => Assert.Equal(ViolationKind.Vacuous, kind));
        Assert.NotEmpty(Kinds());
    }

    private static TaskExpectation Report => new(MayRunAgain: true, "Bees: 4 pages, written by ");

    private static TaskExpectation Delivery(string parcel) => new(MayRunAgain: false, "delivered by ") { Parcel = parcel };

    private ViolationKind[] Kinds() => [.. _story.Check().Violations.Select(violation => violation.Kind)];

    private long Create(TaskExpectation expected)
    {
        var task = ++_number;
        _story.Add(at => new TaskAsked(at, task, expected.MayRunAgain ? "report" : "deliver", expected));
        _story.Add(at => new TaskCreated(at, task, $"task-{task}"));
        return task;
    }

    private void See(long task, string status, string message, bool heard = false) =>
        _story.Add(at => new TaskSeen(at, task, heard, status, message, "", $"{status} {message}"));

    private void End(long task, string status, string outcome, bool heard = false) =>
        _story.Add(at => new TaskSeen(at, task, heard, status, "", outcome, $"{status} {outcome}"));

    private void Answer(long task, string key) => _story.Add(at => new TaskAnswered(at, task, key));
}
