using System.Reflection;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>
/// A replica dies before or after each command that it sends to Redis for a task, or another replica looks for tasks of lost owners between two of them.
/// A task that has not ended is always found with its owner afterwards, so that it can be taken over, and one that has ended leaves nothing behind.
/// </summary>
[Collection(RedisCollection.Name)]
public sealed class RedisTaskDeathTests(RedisBackend redis)
{
    private const int MaxCommands = 6;
    private static readonly TaskQuota Plenty = new(1_000_000, 1_000_000);

    private static readonly Dictionary<string, Func<ITaskStore, NewTask, Task>> Steps = new()
    {
        ["create"] = async (store, task) => await store.CreateAsync(task with { Exchange = "made-" + task.Id }, Plenty),
        ["create for others"] = async (store, task) => await store.CreateAsync(task with { Owner = TaskOwners.None }, Plenty),
        ["change"] = async (store, task) => await store.CommitAsync(task.Id, 1, new() { Message = "half", Inputs = [new("a", Utf8("{}"))],
            State = [Set("k", "v")] }),
        ["answer"] = async (store, task) => await store.AnswerAsync(task.Id, task.User, [new("a", Utf8("1"))]),
        ["finish"] = async (store, task) => await store.CommitAsync(task.Id, 1, new() { End = McpTaskStatus.Completed, Outcome = Utf8("{}") }),
        ["cancel"] = async (store, task) => await store.CancelAsync(task.Id, task.User),
        ["release"] = async (store, task) => await store.CommitAsync(task.Id, 1, new() { Release = true }),
        ["claim"] = async (store, task) => await store.ClaimAsync(task.Id, task.Owner, "next-" + task.Id),
        ["claim late"] = async (store, task) => await store.ClaimAsync(task.Id, "former-" + task.Id, task.Owner),
        ["write back"] = async (store, task) => await store.WriteBackAsync(Written(task)),
    };

    public static TheoryData<string> Names => [.. Steps.Keys];

    [Theory, MemberData(nameof(Names))]
    public async Task A_task_is_found_with_its_owner_after_a_death_between_any_two_commands(string step)
    {
        redis.Server.SkipIfUnavailable();
        var store = new RedisTaskStore(redis.Connection()) { EntryGrace = TimeSpan.Zero };
        var commands = 0;
        for (var at = 1; at <= MaxCommands; at++)
        {
            foreach (var afterwards in (bool[])[false, true])
            {
                var task = NewTask();
                await PrepareAsync(step, store, task);
                var deaths = new Death(at, afterwards);
                await Assert.ThrowsAnyAsync<Exception>(async () =>
                {
                    await Steps[step](new RedisTaskStore(RedisBackend.Connection(deaths.Around(redis.Client))), task);
                    throw new InvalidOperationException("It lived.");
                });
                commands = Math.Max(commands, deaths.Commands);
                await AssertFoundAsync(store, task);
            }
        }

        Assert.InRange(commands, 1, MaxCommands - 1);
    }

    [Theory, MemberData(nameof(Names))]
    public async Task A_task_is_found_with_its_owner_after_a_look_between_any_two_commands(string step)
    {
        redis.Server.SkipIfUnavailable();
        var store = new RedisTaskStore(redis.Connection());
        foreach (var ownerSeemsLost in (bool[])[false, true])
        {
            Interruption look;
            var at = 0;
            do
            {
                var task = NewTask();
                await PrepareAsync(step, store, task);
                look = new Interruption(++at, () => LookAsync(store, task, ownerSeemsLost));
                await Steps[step](new RedisTaskStore(RedisBackend.Connection(look.Around(redis.Client))), task);
                await AssertFoundAsync(new RedisTaskStore(redis.Connection()) { EntryGrace = TimeSpan.Zero }, task);
            }
            while (look.Commands > at);

            Assert.InRange(look.Commands, 1, MaxCommands - 1);
        }
    }

    private static async Task PrepareAsync(string step, RedisTaskStore store, NewTask task)
    {
        if (step is not ("create" or "create for others" or "write back"))
            await store.CreateAsync(task, Plenty);
    }

    // As every replica looks at the owners that it takes for lost.
    private static async Task LookAsync(RedisTaskStore store, NewTask task, bool ownerSeemsLost)
    {
        foreach (var owner in Owners(task).Where(owner => ownerSeemsLost || owner != task.Owner))
        {
            if ((await store.OwnedAsync(owner)).Contains(task.Id) && await store.ClaimAsync(task.Id, owner, "other-" + task.Id) is null)
                await store.ForgetAsync(task.Id, owner);
        }
    }

    private static string[] Owners(NewTask task) =>
        [task.Owner, "next-" + task.Id, "former-" + task.Id, TaskOwners.None, "other-" + task.Id, "last-" + task.Id];

    private static async Task AssertFoundAsync(RedisTaskStore store, NewTask task)
    {
        var view = await store.ReadAsync(task.Id);
        if (view is { Status: McpTaskStatus.Working or McpTaskStatus.InputRequired })
        {
            Assert.Contains(task.Id, await store.OwnedAsync(view.Owner));
            Assert.Contains(view.Owner, await store.OwnersAsync());
        }

        // A look removes an entry too many, and changes nothing else.
        foreach (var owner in Owners(task))
        {
            if (owner == view?.Owner || !(await store.OwnedAsync(owner)).Contains(task.Id))
                continue;
            Assert.Null(await store.ClaimAsync(task.Id, owner, view?.Owner ?? "other-" + task.Id));
            await store.ForgetAsync(task.Id, owner);
        }

        if (view is { Status: McpTaskStatus.Working or McpTaskStatus.InputRequired })
        {
            Assert.Contains(task.Id, await store.OwnedAsync(view.Owner));
            var claimed = (await store.ClaimAsync(task.Id, view.Owner, "last-" + task.Id))!;
            await store.CommitAsync(task.Id, claimed.View.Epoch, new() { End = McpTaskStatus.Completed, Outcome = Utf8("{}") });
        }
        else if (view is not null)
        {
            await store.ForgetAsync(task.Id, view.Owner);
        }

        foreach (var owner in Owners(task))
            Assert.DoesNotContain(task.Id, await store.OwnedAsync(owner));
    }

    private static NewTask NewTask()
    {
        var id = NewId();
        return new() { Id = id, Owner = "r-" + id, User = "anna", MayRunTwice = true, Request = Utf8("{}"), TimeToLive = TimeSpan.FromMinutes(1),
            PollInterval = TimeSpan.FromSeconds(1) };
    }

    private static TaskSnapshot Written(NewTask task) => new(
        new()
        {
            Id = task.Id, Status = McpTaskStatus.Working, Created = Now, Updated = Now, TimeToLive = task.TimeToLive, User = task.User,
                Owner = task.Owner, Epoch = 1, Version = 3,
        },
        task,
        Losses: 0,
        new Dictionary<string, ReadOnlyMemory<byte>>());

    /// <summary>The end of a process at one of the commands that it sends. None follows.</summary>
    private sealed class Death(int at, bool afterwards)
    {
        public int Commands { get; private set; }

        public IConnectionMultiplexer Around(IConnectionMultiplexer client) => Wrap(client, Run);

        private object? Run(MethodInfo method, object?[]? arguments, IDatabase database)
        {
            if (!typeof(Task).IsAssignableFrom(method.ReturnType))
                return method.Invoke(database, arguments);
            Commands++;
            if (Commands > at || Commands == at && !afterwards)
                throw new DeadException();
            var sent = (Task)method.Invoke(database, arguments)!;
            if (Commands < at)
                return sent;
            sent.ContinueWith(static _ => { }, TaskScheduler.Default).GetAwaiter().GetResult();
            throw new DeadException();
        }

        private sealed class DeadException : Exception;
    }

    /// <summary>Something that happens after one of the commands that a process sends, and before the next.</summary>
    private sealed class Interruption(int at, Func<Task> happen)
    {
        public int Commands { get; private set; }

        public IConnectionMultiplexer Around(IConnectionMultiplexer client) => Wrap(client, Run);

        private object? Run(MethodInfo method, object?[]? arguments, IDatabase database)
        {
            if (!typeof(Task).IsAssignableFrom(method.ReturnType) || ++Commands != at)
                return method.Invoke(database, arguments);
            var sent = (Task)method.Invoke(database, arguments)!;
            Task.Run(async () =>
            {
                await sent;
                await happen();
            }).GetAwaiter().GetResult();
            return sent;
        }
    }

    private static IConnectionMultiplexer Wrap(IConnectionMultiplexer client, Func<MethodInfo, object?[]?, IDatabase, object?> run) =>
        Proxy<IConnectionMultiplexer>.Of((method, arguments) => method.Name == nameof(IConnectionMultiplexer.GetDatabase)
            ? Proxy<IDatabase>.Of(run, (IDatabase)method.Invoke(client, arguments)!)
            : method.Invoke(client, arguments), client);

    private class Proxy<T> : DispatchProxy where T : class
    {
        private Func<MethodInfo, object?[]?, object?> _run = null!;

        public static T Of(Func<MethodInfo, object?[]?, object?> run, T _) => Create(run);

        public static T Of(Func<MethodInfo, object?[]?, T, object?> run, T inner) => Create((method, arguments) => run(method, arguments, inner));

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _run(targetMethod!, args);

        private static T Create(Func<MethodInfo, object?[]?, object?> run)
        {
            var proxy = Create<T, Proxy<T>>();
            ((Proxy<T>)(object)proxy)._run = run;
            return proxy;
        }
    }
}
