using System.Reflection;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>
/// A replica dies before or after each command that it sends to Redis for a task. A task that has not ended is always found with its owner
/// afterwards, so that it can be taken over, and one
/// that has ended leaves nothing behind.
/// </summary>
[Collection(RedisCollection.Name)]
public sealed class RedisTaskDeathTests(RedisBackend redis)
{
    private const int MaxCommands = 6;
    private static readonly TaskQuota Plenty = new(1_000_000, 1_000_000);

    private static readonly Dictionary<string, Func<ITaskStore, NewTask, Task>> Steps = new()
    {
        ["create"] = async (store, task) => await store.CreateAsync(task with { Exchange = "made-" + task.Id }, Plenty),
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
        var store = new RedisTaskStore(redis.Connection());
        var commands = 0;
        for (var at = 1; at <= MaxCommands; at++)
        {
            foreach (var afterwards in (bool[])[false, true])
            {
                var task = NewTask();
                if (step is not ("create" or "write back"))
                    await store.CreateAsync(task, Plenty);
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

    private static async Task AssertFoundAsync(RedisTaskStore store, NewTask task)
    {
        var view = await store.ReadAsync(task.Id);
        if (view is { Status: McpTaskStatus.Working or McpTaskStatus.InputRequired })
        {
            Assert.Contains(task.Id, await store.OwnedAsync(view.Owner));
            Assert.Contains(view.Owner, await store.OwnersAsync());
        }

        // Whoever looks at an entry too many removes it, and harms nobody.
        foreach (var owner in (string[])[task.Owner, "next-" + task.Id, "former-" + task.Id, TaskOwners.None])
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

        foreach (var owner in (string[])[task.Owner, "next-" + task.Id, "former-" + task.Id, "last-" + task.Id, TaskOwners.None])
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

        public IConnectionMultiplexer Around(IConnectionMultiplexer client) => Proxy<IConnectionMultiplexer>.Of((method, arguments) =>
            method.Name == nameof(IConnectionMultiplexer.GetDatabase)
                ? Proxy<IDatabase>.Of(Run, (IDatabase)method.Invoke(client, arguments)!)
                : method.Invoke(client, arguments), client);

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
