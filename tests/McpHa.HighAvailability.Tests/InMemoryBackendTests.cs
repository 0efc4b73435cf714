using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

public sealed class InMemorySessionStoreTests : SessionStoreContract
{
    [Fact]
    public async Task Sessions_that_nobody_looks_at_are_swept_when_others_are_created()
    {
        var time = new FakeTimeProvider();
        var sessions = new InMemorySessions(time, Options.Create(new SessionStoreOptions()));
        var store = new InMemorySessionStore(sessions);
        for (var n = 0; n < 100; n++)
            await store.CreateAsync(SessionSamples.Record(SessionSamples.NewId()));

        time.Advance(TimeSpan.FromHours(5));
        await store.CreateAsync(SessionSamples.Record(SessionSamples.NewId()));

        Assert.Equal(1, sessions.Count);
    }

    protected override ISessionStore Store(SessionStoreOptions? options = null) =>
        new InMemorySessionStore(new InMemorySessions(TimeProvider.System, Options.Create(options ?? new())));
}

public sealed class InMemorySessionCommitTests : SessionCommitContract
{
    protected override ISessionStore Store() => new InMemorySessionStore(new InMemorySessions(TimeProvider.System, Options.Create(new SessionStoreOptions())));
}

public sealed class InMemorySessionWriteBackTests : SessionWriteBackContract
{
    private readonly InMemorySessions _sessions = new(TimeProvider.System, Options.Create(new SessionStoreOptions()));

    protected override ISessionStore Store() => new InMemorySessionStore(_sessions);

    protected override Task WipeAsync()
    {
        _sessions.Clear();
        return Task.CompletedTask;
    }
}

public sealed class InMemorySessionLookupTests : SessionLookupContract
{
    protected override (ISessionStore Store, ISessionLookup Lookup) Backend()
    {
        var sessions = new InMemorySessions(TimeProvider.System, Options.Create(new SessionStoreOptions()));
        return (new InMemorySessionStore(sessions), new InMemorySessionLookup(sessions));
    }
}

public sealed class InMemoryStoreFiguresTests : StoreFiguresContract
{
    protected override (ISessionStore Store, IStoreFigures Figures) Backend(SessionStoreOptions? options = null)
    {
        var sessions = new InMemorySessions(TimeProvider.System, Options.Create(options ?? new()));
        return (new InMemorySessionStore(sessions), new InMemoryStoreFigures(sessions));
    }
}

public sealed class InMemoryJournalTests : JournalContract
{
    protected override (ISessionStore Store, ISessionJournal Journal) Backend(SessionStoreOptions? options = null)
    {
        var sessions = new InMemorySessions(TimeProvider.System, Options.Create(options ?? new()));
        return (new InMemorySessionStore(sessions, Metrics), new InMemorySessionJournal(sessions));
    }
}

public sealed class InMemoryEventBusTests : EventBusContract
{
    protected override (IEventBus One, IEventBus Other) Members()
    {
        var bus = new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance);
        return (bus, bus);
    }
}

public sealed class InMemoryBroadcastLogTests : BroadcastLogContract
{
    private InMemoryBroadcastLog? _log;

    protected override Task<(IBroadcastLog Log, IEventBus Bus)> EmptyAsync(BroadcastOptions? options = null)
    {
        var bus = new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance);
        _log = new(bus, Options.Create(options ?? new()), TimeProvider.System);
        return Task.FromResult<(IBroadcastLog, IEventBus)>((_log, bus));
    }

    protected override Task WipeAsync()
    {
        _log!.Wipe();
        return Task.CompletedTask;
    }

    protected override Task LoseNewestAsync()
    {
        _log!.LoseNewest(1);
        return Task.CompletedTask;
    }
}

public sealed class InMemoryReplicaRegistryTests : ReplicaRegistryContract
{
    private readonly FakeTimeProvider _time = new();

    protected override IReplicaRegistry Registry() => new InMemoryReplicaRegistry(_time);

    protected override Task AgeAsync(string replicaId, TimeSpan by)
    {
        _time.Advance(by);
        return Task.CompletedTask;
    }
}

public sealed class InMemoryStateHandleStoreTests : StateHandleStoreContract
{
    protected override IStateHandleStore Store(StateHandleOptions? options = null) =>
        new InMemoryStateHandleStore(TimeProvider.System, Options.Create(options ?? new()));
}

public sealed class InMemoryTaskStoreTests : TaskStoreContract
{
    protected override ITaskStore Store() => new InMemoryTaskStore(TimeProvider.System);
}
