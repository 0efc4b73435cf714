using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Storage;

/// <summary>Keeps handle state in this process. Expires lazily, sweeps when handles are created; there is no timer.</summary>
internal sealed class InMemoryStateHandleStore(TimeProvider time, IOptions<StateHandleOptions> options) : IStateHandleStore
{
    private readonly ConcurrentDictionary<string, Handle> _handles = new(StringComparer.Ordinal);
    private long _nextSweep;

    public ValueTask CreateAsync(string handle, string user, CancellationToken cancellationToken = default)
    {
        SweepWhenDue();
        if (!TryGet(handle, out _))
            _handles.TryAdd(handle, new Handle(user) { Expires = Expiry() });
        return ValueTask.CompletedTask;
    }

    public ValueTask<StateHandleSnapshot?> ReadAsync(string handle, CancellationToken cancellationToken = default)
    {
        if (!TryGet(handle, out var found))
            return new((StateHandleSnapshot?)null);

        lock (found)
        {
            found.Expires = Expiry();
            return new(new StateHandleSnapshot(found.User, found.Version, new Dictionary<string, ReadOnlyMemory<byte>>(found.Values)));
        }
    }

    public ValueTask<StateHandleCommit> CommitAsync(
        string handle,
        long expectedVersion,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> writes,
        string call,
        ReadOnlyMemory<byte> response,
        CancellationToken cancellationToken = default)
    {
        if (!TryGet(handle, out var found))
            return new(new StateHandleCommit.Unknown());

        lock (found)
        {
            if (found.Calls.FirstOrDefault(applied => applied.Call == call) is { } repeated)
                return new(new StateHandleCommit.AlreadyApplied(repeated.Response));
            if (found.Version != expectedVersion)
                return new(new StateHandleCommit.Conflict());

            foreach (var (key, value) in writes)
            {
                if (value is { } set)
                    found.Values[key] = set;
                else
                    found.Values.Remove(key);
            }

            found.Version++;
            found.Expires = Expiry();
            found.Calls.Enqueue(new(call, response));
            while (found.Calls.Count > options.Value.RememberedCalls)
                found.Calls.Dequeue();
            return new(new StateHandleCommit.Committed());
        }
    }

    private bool TryGet(string handle, [NotNullWhen(true)] out Handle? found)
    {
        if (!_handles.TryGetValue(handle, out found))
            return false;
        if (found.Expires > time.GetUtcNow())
            return true;

        _handles.TryRemove(new(handle, found));
        found = null;
        return false;
    }

    private DateTimeOffset Expiry() => time.GetUtcNow() + options.Value.Expiry;

    private void SweepWhenDue()
    {
        var now = time.GetUtcNow();
        var due = Interlocked.Read(ref _nextSweep);
        if (now.UtcTicks < due || Interlocked.CompareExchange(ref _nextSweep, now.UtcTicks + (options.Value.Expiry.Ticks / 2), due) != due)
            return;

        foreach (var pair in _handles)
        {
            if (pair.Value.Expires <= now)
                _handles.TryRemove(pair);
        }
    }

    private sealed class Handle(string user)
    {
        public string User => user;

        public long Version { get; set; }

        public DateTimeOffset Expires { get; set; }

        public Dictionary<string, ReadOnlyMemory<byte>> Values { get; } = [];

        public Queue<AppliedCall> Calls { get; } = [];
    }

    private sealed record AppliedCall(string Call, ReadOnlyMemory<byte> Response);
}
