using Mcp.HighAvailability.Protocol;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Storage;

/// <summary>The log within this process, for one replica or for several that share the instance.</summary>
internal sealed class InMemoryBroadcastLog(IEventBus bus, IOptions<BroadcastOptions> options, TimeProvider time) : IBroadcastLog
{
    private readonly Lock _gate = new();
    private readonly Queue<BroadcastEntry> _entries = new();
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private BroadcastPosition _head;
    private BroadcastPosition _last;
    private BroadcastPosition _newest;
    private long _bytes;
    private bool _restarted;

    public async ValueTask<BroadcastEntry?> AppendAsync(BroadcastPublication publication, BroadcastPosition known,
        CancellationToken cancellationToken = default)
    {
        publication.Validate(options.Value);
        BroadcastEntry entry;
        ValueTask pushed;
        lock (_gate)
        {
            if (_ids.Contains(publication.Id))
                return null;
            entry = Next(publication, known);
            _entries.Enqueue(entry);
            _ids.Add(entry.Id);
            _bytes += entry.Payload.Length;
            _head = _last = entry.Position;
            Trim(entry.Time);

            // Pushes keep the order of the log: the bus only queues.
            pushed = bus.PublishAsync(IBroadcastLog.Topic, entry.ToBytes(), CancellationToken.None);
        }

        await pushed;
        return entry;
    }

    public ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_head.Incarnation == known.Incarnation && known.Number > _head.Number)
                _head = _head with { Incarnation = NextIncarnation() };
            return new(new BroadcastPage(_head, [.. Behind(known)]));
        }
    }

    /// <summary>Loses everything, as a store without persistence does when it is restarted.</summary>
    internal void Wipe()
    {
        lock (_gate)
        {
            _entries.Clear();
            _ids.Clear();
            (_head, _last, _bytes) = (default, default, 0);
        }
    }

    /// <summary>Another server process has the log.</summary>
    internal void Restart()
    {
        lock (_gate)
            _restarted = true;
    }

    /// <summary>Loses the newest entries, as a fail-over to a replica that lagged does.</summary>
    internal void LoseNewest(int count)
    {
        lock (_gate)
        {
            BroadcastEntry[] kept = [.. _entries.SkipLast(count)];
            _entries.Clear();
            _ids.Clear();
            _bytes = 0;
            foreach (var entry in kept)
            {
                _entries.Enqueue(entry);
                _ids.Add(entry.Id);
                _bytes += entry.Payload.Length;
            }

            _head = new(_head.Incarnation, _head.Number - count);
            _last = kept.Length > 0 ? kept[^1].Position : default;
        }
    }

    private BroadcastEntry Next(BroadcastPublication publication, BroadcastPosition known)
    {
        var (previous, number, incarnation) = (_last, _head.Number + 1, _head.Incarnation);
        if (_head.IsNone)
            (previous, number) = (known, known.Number + 1);
        if (_head.IsNone || _restarted || known.Incarnation == incarnation && known.Number > _head.Number)
            incarnation = NextIncarnation();
        _restarted = false;
        return new()
        {
            Position = new(incarnation, number),
            Previous = previous,
            Kind = publication.Kind,
            Id = publication.Id,
            Time = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds()),
            Payload = publication.Payload,
        };
    }

    // Ascending also where no time passes between two losses.
    private long NextIncarnation() => (_newest = new(_newest.NextIncarnation(time.GetUtcNow()), 0)).Incarnation;

    private void Trim(DateTimeOffset now)
    {
        var bounds = options.Value;
        while (_entries.Count > 1 && (_entries.Count > bounds.MaxEntries || _bytes > bounds.MaxBytes || now - _entries.Peek().Time > bounds.MaxAge))
        {
            var oldest = _entries.Dequeue();
            _ids.Remove(oldest.Id);
            _bytes -= oldest.Payload.Length;
        }
    }

    // Numbers are contiguous, also from one incarnation to the next.
    private IEnumerable<BroadcastEntry> Behind(BroadcastPosition known)
    {
        var skip = known.Number - (_head.Number - _entries.Count);
        var has = known.Incarnation == _head.Incarnation ||
            skip > 0 && skip <= _entries.Count && _entries.ElementAt((int)skip - 1).Position == known;
        return has ? _entries.Skip((int)Math.Max(0, skip)) : _entries;
    }
}
