using Mcp.HighAvailability.Tasks;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="ITaskStore"/> does.</summary>
public abstract class TaskStoreContract
{
    private static readonly TaskQuota Plenty = new(1_000_000, 1_000_000);

    protected abstract ITaskStore Store();

    [Fact]
    public async Task A_created_task_is_read_as_it_was_created()
    {
        var store = Store();
        var task = NewTask();

        var created = Assert.IsType<TaskCreation.Created>(await store.CreateAsync(task, Plenty)).Task;

        var read = (await store.ReadAsync(task.Id))!;
        Assert.Equal((McpTaskStatus.Working, "anna", task.Owner, 1L), (read.Status, read.User, read.Owner, read.Epoch));
        Assert.Equal((task.TimeToLive, task.PollInterval, ""), (read.TimeToLive, read.PollInterval, read.Message));
        Assert.Equal((created.Created, created.Updated, created.Version), (read.Created, read.Updated, read.Version));
        Assert.InRange(read.Created, Now - TimeSpan.FromMinutes(1), Now + TimeSpan.FromMinutes(5));
        Assert.Equal([task.Id], await store.OwnedAsync(task.Owner));
        Assert.Contains(task.Owner, await store.OwnersAsync());
    }

    [Fact]
    public async Task An_unknown_task_is_neither_read_nor_changed()
    {
        var store = Store();
        var id = NewId();

        Assert.Null(await store.ReadAsync(id));
        Assert.Equal(TaskCommit.Lost, await CommitAsync(store, id, 1, new()));
        Assert.Null(await store.AnswerAsync(id, "anna", [Pair("k", "1")]));
        Assert.Null(await store.CancelAsync(id, "anna"));
        Assert.Null(await store.ClaimAsync(id, "a", "b"));
        Assert.Null(await store.ReadAsync(id));
    }

    [Fact]
    public async Task The_same_exchange_creates_one_task()
    {
        var store = Store();
        var first = NewTask() with { Exchange = NewId() };
        await store.CreateAsync(first, Plenty);

        var again = await store.CreateAsync(NewTask() with { Exchange = first.Exchange }, Plenty);

        Assert.Equal(first.Id, Assert.IsType<TaskCreation.Repeated>(again).Task.Id);
    }

    [Fact]
    public async Task Of_many_creations_by_one_exchange_at_one_replica_one_creates()
    {
        var store = Store();
        var (owner, exchange) = ("r-" + NewId(), NewId());

        var creations = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ =>
            Task.Run(() => store.CreateAsync(NewTask() with { Owner = owner, Exchange = exchange }, Plenty).AsTask())));

        var created = Assert.Single(creations.OfType<TaskCreation.Created>()).Task;
        Assert.All(creations.OfType<TaskCreation.Repeated>(), repeated => Assert.Equal(created.Id, repeated.Task.Id));
        Assert.Equal([created.Id], await store.OwnedAsync(owner));
    }

    [Fact]
    public async Task A_listener_is_noted_and_every_later_change_says_so()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        Assert.False((await store.CommitAsync(task.Id, 1, new() { Message = "unheard" })).IsListened);

        Assert.Null(await store.ListenAsync(task.Id, "bob"));
        Assert.Null(await store.ListenAsync(NewId(), "anna"));
        Assert.False((await store.ReadAsync(task.Id))!.IsListened);
        Assert.True((await store.ListenAsync(task.Id, "anna"))!.IsListened);

        Assert.True((await store.CommitAsync(task.Id, 1, new() { Inputs = [Pair("a", "{}")] })).IsListened);
        Assert.True((await store.AnswerAsync(task.Id, "anna", [Pair("a", "1")]))!.IsListened);
        Assert.True((await store.ClaimAsync(task.Id, task.Owner, "next"))!.View.IsListened);
        Assert.True((await store.CancelAsync(task.Id, "anna"))!.IsListened);
    }

    [Fact]
    public async Task A_task_that_the_store_has_lost_is_written_back_whole()
    {
        var store = Store();
        var task = NewTask() with { User = NewId() };

        Assert.Equal(TaskCommit.Committed, await store.WriteBackAsync(Snapshot(task)));

        var read = (await store.ReadAsync(task.Id))!;
        Assert.Equal((McpTaskStatus.InputRequired, "half", task.User, task.Owner, 1L, 7L, true), (read.Status, read.Message, read.User, read.Owner,
            read.Epoch, read.Version, read.IsListened));
        Assert.Equal(["a", "b"], read.Inputs.Select(input => input.Key));
        Assert.Equal(Now, read.Created, TimeSpan.FromSeconds(5));
        Assert.Equal([task.Id], await store.OwnedAsync(task.Owner));
        Assert.Equal(McpTaskStatus.Working, (await store.AnswerAsync(task.Id, task.User, [Pair("b", "2")]))!.Status);
        Assert.True(Assert.IsType<TaskCreation.TooMany>(await store.CreateAsync(NewTask() with { User = task.User }, new(1_000_000, 1))).OfUser);
        var claimed = (await store.ClaimAsync(task.Id, task.Owner, "next-" + task.Id))!;
        Assert.Equal((2L, 2, "v", task.MayRunTwice), (claimed.View.Epoch, claimed.Losses, Text(claimed.State["k"]), claimed.Task.MayRunTwice));
        Assert.Equal((Text(task.Request), Text(task.Identity)), (Text(claimed.Task.Request), Text(claimed.Task.Identity)));
    }

    [Fact]
    public async Task A_write_back_changes_nothing_that_the_store_knows_as_well_or_better()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        Assert.Equal(TaskCommit.Committed, await store.WriteBackAsync(Snapshot(task)));
        Assert.Equal((McpTaskStatus.Working, ""), ((await store.ReadAsync(task.Id))!.Status, (await store.ReadAsync(task.Id))!.Message));

        await store.ClaimAsync(task.Id, task.Owner, "next-" + task.Id);
        Assert.Equal(TaskCommit.Fenced, await store.WriteBackAsync(Snapshot(task)));
        Assert.Empty(await store.OwnedAsync(task.Owner));
        Assert.Equal([task.Id], await store.OwnedAsync("next-" + task.Id));

        await store.CancelAsync(task.Id, task.User);
        Assert.Equal(TaskCommit.Ended, await store.WriteBackAsync(Snapshot(task, epoch: 9)));
        Assert.Equal(McpTaskStatus.Cancelled, (await store.ReadAsync(task.Id))!.Status);
        Assert.Empty(await store.OwnedAsync(task.Owner));
    }

    [Fact]
    public async Task A_task_that_has_not_ended_stays_with_its_owner()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        // The look of another replica, to which this owner was lost while it claimed the task.
        await store.ForgetAsync(task.Id, task.Owner);

        Assert.Equal([task.Id], await store.OwnedAsync(task.Owner));
        Assert.Contains(task.Owner, await store.OwnersAsync());
    }

    [Fact]
    public async Task A_change_is_applied_wholly_and_raises_the_version()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        Assert.Equal(TaskCommit.Committed, await CommitAsync(store, task.Id, 1, new()
        {
            Message = "half",
            Inputs = [Pair("b", """{"method":"b"}"""), Pair("a", """{"method":"a"}""")],
            State = [Set("step", "1"), Set("gone", "x"), Remove("gone")],
        }));

        var read = (await store.ReadAsync(task.Id))!;
        Assert.Equal((McpTaskStatus.InputRequired, "half"), (read.Status, read.Message));
        Assert.True(read.Version > 1);
        Assert.Equal(["a", "b"], read.Inputs.Select(input => input.Key));
        Assert.Equal("""{"method":"a"}""", Text(read.Inputs[0].Request));
        Assert.All(read.Inputs, input => Assert.Null(input.Answer));
        var claimed = (await store.ClaimAsync(task.Id, task.Owner, "next"))!;
        Assert.Equal(new() { ["step"] = "1" }, Texts(claimed.State));
    }

    [Fact]
    public async Task Each_question_takes_the_first_answer_and_others_are_ignored()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}"), Pair("b", "{}")] });

        var partly = (await store.AnswerAsync(task.Id, "anna", [Pair("a", "1"), Pair("never", "2")]))!;
        Assert.Equal(McpTaskStatus.InputRequired, partly.Status);
        var again = (await store.AnswerAsync(task.Id, "anna", [Pair("a", "3")]))!;
        Assert.Equal(partly.Version, again.Version);
        var whole = (await store.AnswerAsync(task.Id, "anna", [Pair("b", "4")]))!;

        Assert.Equal(McpTaskStatus.Working, whole.Status);
        Assert.Equal(["1", "4"], whole.Inputs.Select(input => Text(input.Answer!.Value)));
    }

    [Fact]
    public async Task A_question_that_was_asked_before_keeps_its_answer()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}")] });
        await store.AnswerAsync(task.Id, "anna", [Pair("a", "1")]);

        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}")] });

        var read = (await store.ReadAsync(task.Id))!;
        Assert.Equal(McpTaskStatus.Working, read.Status);
        Assert.Equal("1", Text(Assert.Single(read.Inputs).Answer!.Value));
    }

    [Fact]
    public async Task Another_user_finds_no_task_and_changes_none()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}")] });

        Assert.Null(await store.AnswerAsync(task.Id, "bob", [Pair("a", "1")]));
        Assert.Null(await store.AnswerAsync(task.Id, "", [Pair("a", "1")]));
        Assert.Null(await store.CancelAsync(task.Id, "bob"));

        Assert.Equal(McpTaskStatus.InputRequired, (await store.ReadAsync(task.Id))!.Status);
    }

    [Fact]
    public async Task The_task_of_an_anonymous_client_is_anybodys_who_knows_its_id()
    {
        var store = Store();
        var task = NewTask() with { User = "" };
        await store.CreateAsync(task, Plenty);

        Assert.Equal(McpTaskStatus.Cancelled, (await store.CancelAsync(task.Id, "bob"))!.Status);
    }

    [Theory]
    [InlineData(McpTaskStatus.Completed)]
    [InlineData(McpTaskStatus.Failed)]
    [InlineData(McpTaskStatus.Cancelled)]
    public async Task The_first_terminal_state_wins(McpTaskStatus end)
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}")], State = [Set("k", "v")] });
        ReadOnlyMemory<byte> outcome = Enumerable.Range(0, 256).Select(n => (byte)n).ToArray();

        Assert.Equal(TaskCommit.Committed, await CommitAsync(store, task.Id, 1, new() { End = end, Outcome = outcome, Message = "done" }));
        var ended = (await store.ReadAsync(task.Id))!;

        Assert.Equal(TaskCommit.Ended, await CommitAsync(store, task.Id, 1, new() { End = McpTaskStatus.Failed, Message = "other" }));
        Assert.Equal(TaskCommit.Ended, await CommitAsync(store, task.Id, 1, new() { Message = "other" }));
        await store.AnswerAsync(task.Id, "anna", [Pair("a", "1")]);
        await store.CancelAsync(task.Id, "anna");
        Assert.Null(await store.ClaimAsync(task.Id, task.Owner, "b"));

        var read = (await store.ReadAsync(task.Id))!;
        Assert.Equal((end, "done", ended.Version, ended.Updated, ended.TimeToLive), (read.Status, read.Message, read.Version, read.Updated, read.TimeToLive));
        Assert.Equal(outcome.ToArray(), read.Outcome.ToArray());
        Assert.Empty(read.Inputs);
        Assert.Empty(await store.OwnedAsync(task.Owner));
        Assert.DoesNotContain(task.Owner, await store.OwnersAsync());
    }

    [Fact]
    public async Task A_cancelled_task_refuses_its_owner()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        Assert.Equal(McpTaskStatus.Cancelled, (await store.CancelAsync(task.Id, "anna"))!.Status);

        Assert.Equal(TaskCommit.Ended, await CommitAsync(store, task.Id, 1, new() { End = McpTaskStatus.Completed, Outcome = Utf8("{}") }));
        Assert.Empty((await store.ReadAsync(task.Id))!.Outcome.ToArray());
        Assert.Empty(await store.OwnedAsync(task.Owner));
    }

    [Fact]
    public async Task A_new_owner_gets_everything_and_the_old_one_is_fenced()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await CommitAsync(store, task.Id, 1, new() { Inputs = [Pair("a", "{}")], State = [Set("k", "v")] });
        await store.AnswerAsync(task.Id, "anna", [Pair("a", "1")]);

        var claimed = (await store.ClaimAsync(task.Id, task.Owner, "next-" + task.Id))!;

        Assert.Equal(("next-" + task.Id, 2L, 1), (claimed.View.Owner, claimed.View.Epoch, claimed.Losses));
        Assert.Equal("1", Text(Assert.Single(claimed.View.Inputs).Answer!.Value));
        Assert.Equal(task with { Owner = claimed.View.Owner, Request = default, Identity = default }, claimed.Task with { Request = default,
            Identity = default });
        Assert.Equal((Text(task.Request), Text(task.Identity)), (Text(claimed.Task.Request), Text(claimed.Task.Identity)));
        Assert.Equal("v", Text(claimed.State["k"]));
        Assert.Equal(TaskCommit.Fenced, await CommitAsync(store, task.Id, 1, new() { Message = "stale" }));
        Assert.Equal(TaskCommit.Committed, await CommitAsync(store, task.Id, 2, new() { Message = "fresh" }));
        Assert.Equal("fresh", (await store.ReadAsync(task.Id))!.Message);
        Assert.Empty(await store.OwnedAsync(task.Owner));
        Assert.Equal([task.Id], await store.OwnedAsync(claimed.View.Owner));
    }

    [Fact]
    public async Task Of_many_that_claim_at_once_one_wins()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        var claims = await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(() => store.ClaimAsync(task.Id, task.Owner, $"r{n}-{task.Id}").AsTask())));

        var winner = Assert.Single(claims, claim => claim is not null)!.View.Owner;
        Assert.Equal(winner, (await store.ReadAsync(task.Id))!.Owner);
        var owned = await Task.WhenAll(Enumerable.Range(0, 16).Select(async n => (Owner: $"r{n}-{task.Id}", Tasks: await store.OwnedAsync($"r{n}-{task.Id}"))));
        Assert.Equal([winner], owned.Where(entry => entry.Tasks.Count > 0).Select(entry => entry.Owner));
    }

    [Fact]
    public async Task A_claim_that_is_refused_leaves_the_task_with_its_owner()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        Assert.Null(await store.ClaimAsync(task.Id, TaskOwners.None, task.Owner));
        Assert.Null(await store.ClaimAsync(task.Id, "former-" + task.Id, task.Owner));
        Assert.Null(await store.ClaimAsync(task.Id, TaskOwners.None, "other-" + task.Id));

        Assert.Equal([task.Id], await store.OwnedAsync(task.Owner));
        Assert.Empty(await store.OwnedAsync("other-" + task.Id));
    }

    [Fact]
    public async Task A_task_that_was_given_up_is_taken_without_a_loss()
    {
        var store = Store();
        var task = await CreatedAsync(store);

        Assert.Equal(TaskCommit.Committed, await CommitAsync(store, task.Id, 1, new() { Release = true }));

        Assert.Equal(TaskCommit.Fenced, await CommitAsync(store, task.Id, 1, new() { Message = "late" }));
        Assert.Contains(task.Id, await store.OwnedAsync(TaskOwners.None));
        Assert.Null(await store.ClaimAsync(task.Id, task.Owner, "b"));
        var claimed = (await store.ClaimAsync(task.Id, TaskOwners.None, "c-" + task.Id))!;
        Assert.Equal((0, 3L), (claimed.Losses, claimed.View.Epoch));
        Assert.DoesNotContain(task.Id, await store.OwnedAsync(TaskOwners.None));
    }

    [Fact]
    public async Task Quotas_bind_and_free_places_are_given_again()
    {
        var store = Store();
        var user = NewId();
        var short1 = NewTask() with { User = user, TimeToLive = TimeSpan.FromMilliseconds(50) };
        await store.CreateAsync(short1, new(1_000_000, 2));
        await store.CreateAsync(NewTask() with { User = user }, new(1_000_000, 2));

        Assert.True(Assert.IsType<TaskCreation.TooMany>(await store.CreateAsync(NewTask() with { User = user }, new(1_000_000, 2))).OfUser);
        Assert.False(Assert.IsType<TaskCreation.TooMany>(await store.CreateAsync(NewTask(), new(1, 2))).OfUser);

        await Wait.UntilAsync(
            async () =>
            {
                await store.SweepAsync();
                return await store.CreateAsync(NewTask() with { User = user }, new(1_000_000, 2)) is TaskCreation.Created;
            },
            "the place of the expired task to be free");
    }

    [Fact]
    public async Task A_task_expires_after_its_time_to_live()
    {
        var store = Store();
        var task = NewTask() with { TimeToLive = TimeSpan.FromMilliseconds(100) };
        await store.CreateAsync(task, Plenty);

        await Wait.UntilAsync(async () => await store.ReadAsync(task.Id) is null, "the task to expire");

        Assert.Equal(TaskCommit.Lost, await CommitAsync(store, task.Id, 1, new() { Message = "late" }));
        Assert.Null(await store.ReadAsync(task.Id));
    }

    [Fact]
    public async Task A_change_renews_the_time_to_live_when_half_of_it_is_over_and_an_empty_one_changes_nothing_else()
    {
        var store = Store();
        var task = NewTask() with { TimeToLive = TimeSpan.FromSeconds(2) };
        await store.CreateAsync(task, Plenty);
        await CommitAsync(store, task.Id, 1, new());
        var first = (await store.ReadAsync(task.Id))!;
        Assert.Equal((TimeSpan.FromSeconds(2), 1L, first.Created), (first.TimeToLive, first.Version, first.Updated));

        await Wait.UntilAsync(
            async () =>
            {
                Assert.Equal(TaskCommit.Committed, await CommitAsync(store, task.Id, 1, new()));
                return (await store.ReadAsync(task.Id))!.TimeToLive > TimeSpan.FromSeconds(2);
            },
            "the task to be renewed");
        Assert.Equal(1L, (await store.ReadAsync(task.Id))!.Version);
    }

    protected static NewTask NewTask()
    {
        var id = NewId();
        return new()
        {
            Id = id,
            Owner = "r-" + id,
            User = "anna",
            MayRunTwice = true,
            Request = Utf8("""{"method":"tools/call"}"""),
            Identity = Utf8("claims"),
            TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            TimeToLive = TimeSpan.FromHours(1),
            PollInterval = TimeSpan.FromSeconds(1),
        };
    }

    private static async Task<TaskCommit> CommitAsync(ITaskStore store, string taskId, long epoch, TaskChange change) =>
        (await store.CommitAsync(taskId, epoch, change)).Outcome;

    // As the first owner of a new task knows it.
    protected static TaskSnapshot Snapshot(NewTask task, long epoch = 1, McpTaskStatus status = McpTaskStatus.InputRequired) => new(
        new()
        {
            Id = task.Id, Status = status, Message = "half", Created = Now, Updated = Now, TimeToLive = task.TimeToLive, PollInterval = task.PollInterval,
            User = task.User, Owner = task.Owner, Epoch = epoch, Version = 7, Inputs = [new("a", Utf8("{}"), Utf8("1")), new("b", Utf8("{}"), null)],
                IsListened = true,
        },
        task,
        Losses: 1,
        new Dictionary<string, ReadOnlyMemory<byte>> { ["k"] = Utf8("v") });

    protected static async Task<NewTask> CreatedAsync(ITaskStore store)
    {
        var task = NewTask();
        Assert.IsType<TaskCreation.Created>(await store.CreateAsync(task, Plenty));
        return task;
    }

    private static KeyValuePair<string, ReadOnlyMemory<byte>> Pair(string key, string value) => new(key, Utf8(value));
}
