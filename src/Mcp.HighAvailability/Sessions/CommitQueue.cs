using Mcp.HighAvailability.Journal;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What a commit queue tells the session that it writes for.</summary>
internal interface ICommitOwner
{
    /// <summary>Another replica owns the session: stop at once.</summary>
    void Fenced();

    /// <summary>All of the session as it is now, for a store that has lost it. Called under the gate.</summary>
    (SessionSnapshot Snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State) Copy(long lastCommit);

    /// <summary>Answers and server requests that no client has read yet. Used under the gate.</summary>
    UnreadEntries Unread { get; }

    /// <summary>An entry will not be written, and <paramref name="relinked"/>, if given, replaces the one behind it. Called under the gate.</summary>
    void Dropped(JournalEntry dropped, JournalEntry? relinked);
}

/// <summary>Writes of one session, in order: one commit under way, everything meanwhile gathers in the next.</summary>
/// <remarks>
/// <para>
/// Invariant: an effect (a byte for the client) happens after the commit that holds it was answered, and in the order of the
/// commits. The exceptions are named: <see cref="Durability.Fast"/>, and a store that stays away longer than
/// <see cref="HighAvailabilityOptions.DurableTimeout"/>, which is counted.
/// </para>
/// <para>
/// Invariant: nothing that answers a client is dropped. While the store is away, the oldest progress and log notifications are dropped beyond
/// the bounds, then the oldest other notifications. Their streams show no gap and can be resumed. When answers and server requests alone reach
/// the bounds, <see cref="IsFull"/> refuses new calls before they run. So what waits is bounded by the bounds and the calls in flight.
/// </para>
/// </remarks>
internal sealed partial class CommitQueue(SessionRecord record, CommitContext context, ICommitOwner owner)
{
    private readonly ILogger _logger = context.Logger;
    private readonly CancellationTokenSource _stopped = new();
    private readonly Lock _showing = new();
    private CommitBatch? _pending;
    private CommitBatch? _writing;
    private bool _flushing;
    private long _number = record.LastCommit;
    private long _position = record.LastPosition;
    private TimeSpan? _takeOverTook;
    private long _touched = context.Time.GetTimestamp();
    private bool _touchDue;

    /// <summary>The session's lock: guards this queue, its open batch, and the session's tables.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Highest position in use. Call under the gate.</summary>
    public long LastPosition => _position;

    /// <summary>Streams with something to show that is not written. Call under the gate.</summary>
    public IEnumerable<EventStream> Unshown => (_writing?.Streams ?? []).Concat(_pending?.Streams ?? []);

    /// <summary>The batch that gathers now; a cancelled one after <see cref="Stop"/>. Call under the gate, and flush after leaving it.</summary>
    public CommitBatch Open()
    {
        if (_pending is null)
        {
            _pending = new CommitBatch { Opened = context.Time.GetTimestamp() };
            if (_stopped.IsCancellationRequested)
                _pending.Cancel();
        }

        return _pending;
    }

    /// <summary>Whether answers and server requests that wait for the store have reached the bounds: no new call may begin. Call under the gate.</summary>
    public bool IsFull => _pending is { } batch && (batch.LastingEntries >= context.PendingEntries || batch.LastingBytes >= context.PendingBytes);

    /// <summary>Gives the next position on a stream to a message and puts it into the open batch. Call under the gate.</summary>
    /// <returns><see langword="null"/>: a notification that was dropped, because what waits for the store has reached the bounds.</returns>
    public JournalEntry? Append(EventStream stream, ReadOnlyMemory<byte> payload, MessageKind kind, string answers = "")
    {
        var batch = Open();
        while (batch.Entries >= context.PendingEntries || batch.Entries > 0 && batch.Bytes + payload.Length > context.PendingBytes)
        {
            if ((batch.DropOldest(MessageKind.Progress) ?? (kind == MessageKind.Progress ? null : batch.DropOldest(MessageKind.Notification))) is { } drop)
            {
                owner.Dropped(drop.Dropped, drop.Relinked);
                context.Metrics.GivenUp(1);
                continue;
            }

            if (kind.Lasts())
                break;
            context.Metrics.GivenUp(1);
            return null;
        }

        var entry = new JournalEntry
        {
            Position = ++_position,
            Stream = stream.Id,
            Previous = stream.Carrier.LastPosition,
            Answers = answers,
            Payload = payload,
            Time = context.Time.GetUtcNow(),
        };
        stream.LastPosition = stream.Carrier.LastPosition = entry.Position;
        batch.Append(entry, stream, kind);
        batch.Then(new(EffectKind.Publish, stream, entry));
        return entry;
    }

    /// <summary>Whether a batch still gathers: nothing of it was written. Call under the gate.</summary>
    public bool IsOpen(CommitBatch batch) => batch == _pending;

    /// <summary>A message that is sent and not written; it takes no position. Call under the gate.</summary>
    public JournalEntry Unwritten(EventStream stream, ReadOnlyMemory<byte> payload, string answers) => new()
    {
        Position = _position + 1,
        Stream = stream.Id,
        Answers = answers,
        Payload = payload,
        Time = context.Time.GetUtcNow(),
    };

    /// <summary>Drops the open batch if it has nothing to write. Call under the gate.</summary>
    public void DropEmptyBatch()
    {
        if (_pending is { IsEmpty: true } && !_stopped.IsCancellationRequested)
            _pending = null;
    }

    /// <summary>Has the next commit say how long the take-over took; it costs none of its own. Call under the gate.</summary>
    public void NoteTakeOver(TimeSpan took) => _takeOverTook = took;

    private bool ShowsFirst => context.Durability == Durability.Fast;

    /// <summary>Starts writing unless a commit is under way. Call without the gate.</summary>
    public void Flush() => Flush(only: null);

    /// <summary>Starts writing if the given batch still gathers (any batch when <see langword="null"/>). Call without the gate.</summary>
    public void Flush(CommitBatch? only)
    {
        if (ShowsFirst)
            ShowAtOnce();
        lock (Gate)
        {
            // While a commit is under way its loop comes back for the batch.
            if (_pending is null || (only is not null && _pending != only) || _flushing || _stopped.IsCancellationRequested)
                return;
            _flushing = true;
        }

        _ = WriteAsync();
    }

    /// <summary>Whether the store's expiry is that of a session that was never used, although this one was.</summary>
    public bool TouchDue
    {
        get
        {
            lock (Gate)
                return _touchDue;
        }
    }

    /// <summary>Has the next commit renew the store's expiry, because the session is used for the first time.</summary>
    public void NoteFirstUse()
    {
        lock (Gate)
            _touchDue = true;
    }

    /// <summary>Renews the store's expiry if that was last done so long ago.</summary>
    public Task KeepAsync(TimeSpan age)
    {
        Task done;
        lock (Gate)
        {
            if (!_touchDue && context.Time.GetElapsedTime(_touched) < age)
                return Task.CompletedTask;
            done = Open().Done;
        }

        Flush();
        return done;
    }

    /// <summary>Asks the store, by a commit, whether the session is still ours, and completes when it has said so; cancelled if it is not.</summary>
    public Task VerifyAsync()
    {
        Task written;
        lock (Gate)
            written = Open().Written;
        Flush();
        return written;
    }

    /// <summary>Waits until everything that is enqueued now is written.</summary>
    public Task DrainAsync()
    {
        Task done;
        lock (Gate)
        {
            if (_pending is null && !_flushing && !_stopped.IsCancellationRequested)
                return Task.CompletedTask;
            done = Open().Done;
        }

        Flush();
        return done;
    }

    /// <summary>Ends writing; what waits is cancelled.</summary>
    public void Stop()
    {
        CommitBatch? left;
        lock (Gate)
        {
            _stopped.Cancel();
            left = _pending;
            _pending = null;
        }

        left?.Cancel();
    }

    // Fast: what is visible does not wait for the commit. The second lock keeps the order when several threads come here, also
    // with the one that takes the batch away to write it.
    private (CommitBatch? Batch, SessionCommit? Commit) ShowAtOnce(bool take = false)
    {
        lock (_showing)
        {
            IReadOnlyList<Effect> effects;
            (CommitBatch?, SessionCommit?) taken = default;
            lock (Gate)
            {
                effects = _stopped.IsCancellationRequested ? [] : _pending?.TakeEffects() ?? [];
                if (take)
                    taken = Take();
            }

            foreach (var effect in effects)
                effect.Run();
            return taken;
        }
    }

    private (CommitBatch? Batch, SessionCommit? Commit) Take()
    {
        lock (Gate)
        {
            var batch = _pending;
            (_pending, _writing) = (null, batch);
            if (batch is null || _stopped.IsCancellationRequested)
            {
                _flushing = false;
                return default;
            }

            var touch = _touchDue || context.Time.GetElapsedTime(_touched) > context.TouchEvery;
            if (touch)
                (_touched, _touchDue) = (context.Time.GetTimestamp(), false);
            var commit = batch.ToCommit(record.Owner, record.Epoch, ++_number, _position, touch, _takeOverTook, UnreadBeside(batch));
            _takeOverTook = null;
            return (batch, commit);
        }
    }

    // Never throws. A fault ends the session here, so that its clients go to the next owner.
    private async Task WriteAsync()
    {
        try
        {
            await WriteAllAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogBroken(e, record.Id);
            owner.Fenced();
        }
    }

    // Nothing if the commit cannot trim an unread entry. Most commits append the one answer that is unread.
    private IReadOnlyList<long> UnreadBeside(CommitBatch batch) =>
        owner.Unread is { Any: true } unread &&
        (unread.First < batch.FirstPosition || batch.Entries > context.PendingEntries / 2 || batch.Bytes > context.PendingBytes / 2) ? unread.Positions : [];

    private async Task WriteAllAsync()
    {
        while (true)
        {
            var (batch, commit) = ShowsFirst ? ShowAtOnce(take: true) : Take();
            if (batch is null || commit is null)
                break;
            if (!await CommitAsync(batch, commit).ConfigureAwait(false))
                break;
            if (batch.Entries > 0)
                context.Metrics.Journaled(batch.Entries);
            foreach (var effect in batch.TakeEffects())
                effect.Run();
            batch.Commit();
        }
    }
}
