using System.Collections.Concurrent;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>A place where a test stops a step of a replica: it is <see cref="Reached"/>, and goes on when it is let go.</summary>
internal sealed class Stop(string method, Func<object?, bool> at, bool after)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _letGo = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _hit;

    public Task Reached => _reached.Task.WaitAsync(Wait.Limit);

    public void LetGo() => _letGo.TrySetResult();

    /// <summary>The step (or, when it was done, its answer) is lost.</summary>
    public void Fail() => Fail(new StoreUnavailableException("made to fail"));

    /// <summary>The step fails in a way of its own.</summary>
    public void Fail(Exception how) => _letGo.TrySetException(how);

    public async ValueTask PassAsync(string step, object? argument, bool isAfter)
    {
        if (step != method || after != isAfter || !at(argument) || Interlocked.Exchange(ref _hit, 1) != 0)
            return;
        _reached.TrySetResult();
        await _letGo.Task;
    }
}

/// <summary>Stops of one backend.</summary>
internal abstract class Stops
{
    private volatile Stop[] _stops = [];
    private int _refused;

    /// <summary>The backend cannot be reached.</summary>
    public bool Away { get; set; }

    /// <summary>What every step throws; <see langword="null"/> for none.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Stops the next such step before it is done.</summary>
    public Stop StopBefore(string method, Func<object?, bool>? at = null) => Add(new(method, at ?? (static _ => true), after: false));

    /// <summary>Stops the next such step when it is done and has not answered.</summary>
    public Stop StopAfter(string method, Func<object?, bool>? at = null) => Add(new(method, at ?? (static _ => true), after: true));

    public void LetGo()
    {
        Away = false;
        Fault = null;
        foreach (var stop in _stops)
            stop.LetGo();
    }

    protected async ValueTask<T> RunAsync<T>(string method, object? argument, Func<ValueTask<T>> step)
    {
        ThrowIfAway();
        foreach (var stop in _stops)
            await stop.PassAsync(method, argument, isAfter: false);
        var result = await step();
        foreach (var stop in _stops)
            await stop.PassAsync(method, argument, isAfter: true);
        return result;
    }

    /// <summary>How often it was asked for in vain.</summary>
    public int Refused => Volatile.Read(ref _refused);

    protected void ThrowIfAway()
    {
        if (Fault is { } fault)
        {
            Interlocked.Increment(ref _refused);
            throw fault;
        }

        if (!Away)
            return;
        Interlocked.Increment(ref _refused);
        throw new StoreUnavailableException("away");
    }

    private Stop Add(Stop stop)
    {
        _stops = [.. _stops, stop];
        return stop;
    }
}

internal sealed class InterceptedStore(ISessionStore inner) : Stops, ISessionStore
{
    public ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(CreateAsync), record, () => inner.CreateAsync(record, cancellationToken));

    public ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(FindAsync), sessionId, () => inner.FindAsync(sessionId, cancellationToken));

    public ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(TakeOverAsync), sessionId, () => inner.TakeOverAsync(sessionId, expectedEpoch, newOwner, cancellationToken));

    public ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(CommitAsync), commit, () => inner.CommitAsync(sessionId, commit, cancellationToken));

    public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(ReadStateAsync), sessionId, () => inner.ReadStateAsync(sessionId, cancellationToken));

    public ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(ReleaseAsync), sessionId, () => inner.ReleaseAsync(sessionId, epoch, cancellationToken));

    public ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(EndAsync), sessionId, () => inner.EndAsync(sessionId, epoch, cancellationToken));

    public ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(WriteBackAsync), snapshot, () => inner.WriteBackAsync(snapshot, state, cancellationToken));
}

internal sealed class InterceptedHandleStore(IStateHandleStore inner) : Stops, IStateHandleStore
{
    public async ValueTask CreateAsync(string handle, string user, CancellationToken cancellationToken = default) =>
        await RunAsync<object?>(nameof(CreateAsync), handle, async () =>
        {
            await inner.CreateAsync(handle, user, cancellationToken);
            return null;
        });

    public ValueTask<StateHandleSnapshot?> ReadAsync(string handle, CancellationToken cancellationToken = default) =>
        RunAsync(nameof(ReadAsync), handle, () => inner.ReadAsync(handle, cancellationToken));

    public ValueTask<StateHandleCommit> CommitAsync(
        string handle,
        long expectedVersion,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> writes,
        string call,
        ReadOnlyMemory<byte> response,
        CancellationToken cancellationToken = default) =>
        RunAsync(nameof(CommitAsync), call, () => inner.CommitAsync(handle, expectedVersion, writes, call, response, cancellationToken));
}

/// <summary>A journal that is away when its store is.</summary>
internal sealed class InterceptedJournal(ISessionJournal inner, InterceptedStore store) : ISessionJournal
{
    public IAsyncEnumerable<JournalEntry> ReadAsync(string sessionId, string stream, long after, CancellationToken cancellationToken = default) =>
        store.Away ? throw new StoreUnavailableException("away") : inner.ReadAsync(sessionId, stream, after, cancellationToken);
}

/// <summary>A broadcast log that is away when its store is.</summary>
internal sealed class InterceptedBroadcastLog(IBroadcastLog inner, InterceptedStore store) : IBroadcastLog
{
    private int _appends;
    private int _reads;

    public int Appends => Volatile.Read(ref _appends);

    public int Reads => Volatile.Read(ref _reads);

    public ValueTask<BroadcastEntry?> AppendAsync(BroadcastPublication publication, BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        ThrowIfAway();
        Interlocked.Increment(ref _appends);
        return inner.AppendAsync(publication, known, cancellationToken);
    }

    public ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        ThrowIfAway();
        Interlocked.Increment(ref _reads);
        return inner.ReadAsync(known, cancellationToken);
    }

    private void ThrowIfAway()
    {
        if (store.Fault is { } fault)
            throw fault;
        if (store.Away)
            throw new StoreUnavailableException("away");
    }
}

/// <summary>One replica's way to the bus.</summary>
internal sealed class CutOffEventBus(IEventBus inner, Exception? fault = null) : IEventBus
{
    public bool Cut { get; set; }

    /// <summary>What every step throws; <see langword="null"/> for none.</summary>
    public Exception? Fault { get; set; } = fault;

    public ValueTask PublishAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        Fault is { } fault ? throw fault : Cut ? ValueTask.CompletedTask : inner.PublishAsync(topic, payload, cancellationToken);

    public ValueTask<IAsyncDisposable> SubscribeAsync(
        string topic, Func<ReadOnlyMemory<byte>, ValueTask> handler, CancellationToken cancellationToken = default) =>
        Fault is { } fault ? throw fault : inner.SubscribeAsync(topic, payload => Cut ? ValueTask.CompletedTask : handler(payload), cancellationToken);
}

/// <summary>A registry in which replicas that are cut off have been silent for long.</summary>
internal sealed class CutOffRegistry(IReplicaRegistry inner) : IReplicaRegistry
{
    private readonly HashSet<string> _cut = [];

    private int _beats;

    public bool IsAway { get; set; }

    /// <summary>What every heartbeat throws; <see langword="null"/> for none.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Heartbeats of all replicas.</summary>
    public int Beats => Volatile.Read(ref _beats);

    /// <summary>Replicas that alone cannot reach it.</summary>
    public ConcurrentDictionary<string, bool> AwayFrom { get; } = new();

    /// <summary>The incarnation of the store; without one nothing of it counts as lost.</summary>
    public string? Incarnation { get; set; }

    public void Cut(string replica)
    {
        lock (_cut)
            _cut.Add(replica);
    }

    public void Heal(string replica)
    {
        lock (_cut)
            _cut.Remove(replica);
    }

    public async ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        if (Fault is { } fault)
            throw fault;
        if (IsAway || self is not null && AwayFrom.ContainsKey(self.Id))
            throw new StoreUnavailableException("away");
        Interlocked.Increment(ref _beats);
        var all = await inner.BeatAsync(self, cancellationToken);
        lock (_cut)
        {
            return new([.. all.Select(r => _cut.Contains(r.Replica.Id) ? r with { Age = TimeSpan.FromSeconds(59) } : r)])
            {
                Incarnation = Incarnation,
                IncarnationAge = TimeSpan.FromSeconds(10),
            };
        }
    }

    public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) => inner.LeaveAsync(replicaId, cancellationToken);
}

/// <summary>The real clock, moved.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    public TimeSpan Shift { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
}
