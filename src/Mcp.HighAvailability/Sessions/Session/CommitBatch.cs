using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Writes of a session that are collected until the commit before them is answered. Plain data, part of <see cref="CommitState"/>.</summary>
internal sealed class CommitBatch
{
    private readonly List<KeyValuePair<string, ReadOnlyMemory<byte>?>> _calls = [];
    private List<JournalEntry>? _append;
    private List<(EventStream? Stream, MessageKind Kind)>? _origins;
    private List<long>? _remove;
    private List<KeyValuePair<string, ReadOnlyMemory<byte>?>>? _state;
    private List<KeyValuePair<string, ReadOnlyMemory<byte>?>>? _handshake;
    private List<Effect>? _effects;

    /// <summary>When the batch was opened (timestamp of the time provider).</summary>
    public required long Opened { get; init; }

    /// <summary>Ascending number of the batch: what waits for it waits for this number.</summary>
    public required long Ticket { get; set; }

    /// <summary>The batch is to be written as soon as no other commit is under way. Otherwise it only gathers.</summary>
    public bool Due { get; set; }

    public int Entries => _append?.Count ?? 0;

    /// <summary>Payload bytes of the entries.</summary>
    public long Bytes { get; private set; }

    /// <summary>Entries that must reach their client.</summary>
    public int LastingEntries { get; private set; }

    /// <summary>Payload bytes of these entries.</summary>
    public long LastingBytes { get; private set; }

    /// <summary>Position of the first entry; <see cref="long.MaxValue"/> if there is none.</summary>
    public long FirstPosition => _append is [var first, ..] ? first.Position : long.MaxValue;

    public void Append(JournalEntry entry, EventStream? stream = null, MessageKind kind = MessageKind.Answer)
    {
        (_append ??= []).Add(entry);
        (_origins ??= []).Add((stream, kind));
        Bytes += entry.Payload.Length;
        if (!kind.Lasts())
            return;
        LastingEntries++;
        LastingBytes += entry.Payload.Length;
    }

    /// <summary>Drops the oldest entry of a kind. The entry behind it on its stream takes its place, so that the stream shows no gap.</summary>
    /// <returns>The dropped entry, and the one that takes its place, if any; <see langword="null"/> when there is no entry of this kind.</returns>
    public (JournalEntry Dropped, JournalEntry? Relinked)? DropOldest(MessageKind kind)
    {
        if (_origins?.FindIndex(origin => origin.Kind == kind && origin.Stream is not null) is not (>= 0 and var at))
            return null;
        var (dropped, carrier) = (_append![at], _origins[at].Stream!.Carrier);
        _append.RemoveAt(at);
        _origins.RemoveAt(at);
        Bytes -= dropped.Payload.Length;
        if (_effects?.FindIndex(e => e.Entry == dropped) is >= 0 and var shown)
            _effects.RemoveAt(shown);
        if (carrier.LastPosition == dropped.Position)
            carrier.LastPosition = dropped.Previous;
        for (var next = at; next < _append.Count; next++)
        {
            var entry = _append[next];
            if (entry.Previous != dropped.Position || _origins[next].Stream?.Carrier != carrier)
                continue;
            var relinked = _append[next] = entry with { Previous = dropped.Previous };
            if (_effects?.FindIndex(e => e.Entry == entry) is >= 0 and var behind)
                _effects[behind] = _effects[behind] with { Entry = relinked };
            return (dropped, relinked);
        }

        return (dropped, null);
    }

    public void Remove(long position) => (_remove ??= []).Add(position);

    public void SetCall(string key, ReadOnlyMemory<byte>? value) => Set(_calls, key, value);

    /// <summary>Takes back an entry that was set in this very batch: the call began and ended between two commits.</summary>
    public bool TakeBackCall(string key) => _calls.RemoveAll(c => c.Key == key) > 0;

    public void SetState(string key, ReadOnlyMemory<byte>? value) => Set(_state ??= [], key, value);

    public void SetHandshake(string key, ReadOnlyMemory<byte>? value) => Set(_handshake ??= [], key, value);

    /// <summary>Something that a client sees, and that must therefore wait for the commit.</summary>
    public void Then(Effect effect) => (_effects ??= []).Add(effect);

    public void ForgetPrime(EventStream stream) => _effects?.RemoveAll(e => e.Stream == stream && e.Kind == EffectKind.Prime);

    /// <summary>Whether the beginning of a stream is still unknown to its readers.</summary>
    public bool HoldsPrime(EventStream stream) => _effects?.Exists(e => e.Stream == stream && e.Kind == EffectKind.Prime) == true;

    /// <summary>Whether the batch has nothing to write and is not to be written.</summary>
    public bool IsEmpty =>
        _calls.Count == 0 && !Due &&
        _append is not { Count: > 0 } && _remove is not { Count: > 0 } && _state is not { Count: > 0 } && _handshake is not { Count: > 0 } &&
            _effects is not { Count: > 0 };

    /// <summary>Streams whose readers wait for the commit.</summary>
    public IEnumerable<EventStream> Streams => _effects?.Select(e => e.Stream) ?? [];

    /// <summary>Streams that end with the commit: their answer is in it.</summary>
    public IEnumerable<EventStream> Ending => _effects?.Where(static e => e.Kind == EffectKind.Complete).Select(static e => e.Stream) ?? [];

    /// <summary>Takes the effects out, so that they happen once.</summary>
    public List<Effect>? TakeEffects()
    {
        var effects = _effects;
        _effects = null;
        return effects;
    }

    /// <summary>Takes in the batch that gathered behind this one: both are written and shown as one.</summary>
    public void Absorb(CommitBatch next)
    {
        _calls.AddRange(next._calls);
        Join(ref _append, next._append);
        Join(ref _origins, next._origins);
        Bytes += next.Bytes;
        LastingEntries += next.LastingEntries;
        LastingBytes += next.LastingBytes;
        Join(ref _remove, next._remove);
        Join(ref _state, next._state);
        Join(ref _handshake, next._handshake);
        Join(ref _effects, next._effects);
        next._effects = null;
        Ticket = next.Ticket;

        static void Join<T>(ref List<T>? these, List<T>? those)
        {
            if (those is not null)
                (these ??= []).AddRange(those);
        }
    }

    public SessionCommit ToCommit(
        SessionRecord writer, long number, long lastPosition, bool touch, TimeSpan? takeOverTook, IReadOnlyList<long> unread) => new()
    {
        Owner = writer.Owner,
        Epoch = writer.Epoch,
        Number = number,
        LastPosition = lastPosition,
        Append = _append ?? (IReadOnlyList<JournalEntry>)[],
        Remove = _remove ?? (IReadOnlyList<long>)[],
        Unread = unread,
        Calls = _calls,
        State = _state ?? (IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>>)[],
        Handshake = _handshake ?? (IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>>)[],
        Touch = touch,
        TakeOverTook = takeOverTook,
    };

    // The last value of a key is all that counts: what a long outage changes over and over takes no more room than what it changes.
    private static void Set(List<KeyValuePair<string, ReadOnlyMemory<byte>?>> changes, string key, ReadOnlyMemory<byte>? value)
    {
        for (var i = 0; i < changes.Count; i++)
        {
            if (changes[i].Key == key)
            {
                changes.RemoveAt(i);
                break;
            }
        }

        changes.Add(new(key, value));
    }
}
