using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Commits of a session that are under way or waiting: plain data, part of <see cref="SessionCore"/>.</summary>
/// <remarks>
/// Invariants: at most one commit is under way; commits are numbered without a gap; positions ascend and are never used twice; the effects of a batch
/// are released after its commit, in the order of the commits, and never before, except by <see cref="Durability.Fast"/>. After
/// <see cref="Stop"/> nothing is written or shown: what was to be shown is in <see cref="Unshown"/>.
/// </remarks>
internal sealed class CommitState(SessionRecord record, CommitContext context, UnreadEntries unread)
{
    // Well below the time after which others take a session over.
    private static readonly TimeSpan ConfirmedFor = TimeSpan.FromSeconds(1);

    private CommitBatch? _gathering;
    private CommitBatch? _writing;
    private List<Effect>? _released;
    private bool _underWay;
    private long _number = record.LastCommit;
    private long _tickets;
    private TimeSpan? _takeOverTook;
    private long _touched = context.Time.GetTimestamp();
    private long _confirmed = context.Time.GetTimestamp();

    /// <summary>Adds to a commit what goes along with any and causes none.</summary>
    public Action<CommitBatch> AddAlong { get; init; } = static _ => { };

    /// <summary>Highest position in use.</summary>
    public long LastPosition { get; private set; } = record.LastPosition;

    /// <summary>Batches up to this ticket are in the store.</summary>
    public long Written { get; private set; }

    /// <summary>Batches up to this ticket have waited for the store too long. They are written when it is back.</summary>
    public long Overdue { get; private set; }

    /// <summary>The session writes no more.</summary>
    public bool Stopped { get; private set; }

    /// <summary>The store has no record of the session yet: what is to be written gathers until it has.</summary>
    public bool AwaitsRecord { get; set; }

    /// <summary>The store's expiry is that of a session that was never used, although this one was.</summary>
    public bool TouchDue { get; set; }

    /// <summary>Whether answers and server requests that wait for the store have reached the bounds: no new call may begin.</summary>
    public bool IsFull => _gathering is { } batch && (batch.LastingEntries >= context.PendingEntries || batch.LastingBytes >= context.PendingBytes);

    /// <summary>Position of the first entry that the store may not have; <see cref="long.MaxValue"/> if there is none.</summary>
    public long FirstUnwritten => Math.Min(_writing?.FirstPosition ?? long.MaxValue, _gathering?.FirstPosition ?? long.MaxValue);

    /// <summary>Streams with something to show that is not written, or that was not taken to be shown yet.</summary>
    public IEnumerable<EventStream> Unshown =>
        [.. _writing?.Streams ?? [], .. _gathering?.Streams ?? [], .. _released?.Select(static effect => effect.Stream) ?? []];

    /// <summary>The batch that gathers now.</summary>
    public CommitBatch Open() => _gathering ??= new() { Ticket = ++_tickets, Opened = context.Time.GetTimestamp() };

    /// <summary>Whether a batch still gathers: nothing of it was written.</summary>
    public bool IsOpen(CommitBatch batch) => batch == _gathering;

    /// <summary>Has the batch that gathers written as soon as no other commit is under way. Returns its ticket.</summary>
    public long Flush()
    {
        var batch = Open();
        batch.Due = true;
        return batch.Ticket;
    }

    /// <summary>Has a batch written, unless that has begun.</summary>
    public void Flush(CommitBatch batch)
    {
        if (batch == _gathering)
            batch.Due = true;
    }

    /// <summary>Has everything written that waits now. Returns the ticket of the last of it.</summary>
    public long Drain() => _gathering is not null ? Flush() : _writing?.Ticket ?? Written;

    /// <summary>Has the store's expiry renewed if that was last done so long ago. Returns the ticket to wait for.</summary>
    public long Keep(TimeSpan age) => TouchDue || context.Time.GetElapsedTime(_touched) >= age ? Flush() : Written;

    /// <summary>Has the next commit say how long the take-over took; it costs none of its own.</summary>
    public void NoteTakeOver(TimeSpan took) => _takeOverTook = took;

    /// <summary>Whether one more message is beyond the bounds on what waits.</summary>
    public bool LacksRoom(int length)
    {
        var batch = Open();
        return batch.Entries >= context.PendingEntries || batch.Entries > 0 && batch.Bytes + length > context.PendingBytes;
    }

    /// <summary>Drops the oldest message that waits and may be dropped for one of a kind.</summary>
    public (JournalEntry Dropped, JournalEntry? Relinked)? DropOldest(MessageKind kind) =>
        Open().DropOldest(MessageKind.Progress) ?? (kind == MessageKind.Progress ? null : Open().DropOldest(MessageKind.Notification));

    /// <summary>Gives a message the next position on a stream and puts it into the batch that gathers.</summary>
    public JournalEntry Append(EventStream stream, ReadOnlyMemory<byte> payload, MessageKind kind, string answers)
    {
        var entry = new JournalEntry
        {
            Position = ++LastPosition,
            Stream = stream.Id,
            Previous = stream.Carrier.LastPosition,
            Answers = answers,
            Payload = payload,
            Time = context.Time.GetUtcNow(),
        };
        stream.LastPosition = stream.Carrier.LastPosition = entry.Position;
        var batch = Open();
        batch.Append(entry, stream, kind);
        batch.Then(new(EffectKind.Publish, stream, entry));
        return entry;
    }

    /// <summary>A message that is sent and not written. It takes no position.</summary>
    public JournalEntry Unwritten(EventStream stream, ReadOnlyMemory<byte> payload, string answers) => new()
    {
        Position = LastPosition + 1,
        Stream = stream.Id,
        Answers = answers,
        Payload = payload,
        Time = context.Time.GetUtcNow(),
    };

    /// <summary>Drops the batch that gathers if it has nothing to write.</summary>
    public void DropEmptyBatch()
    {
        if (_gathering is { IsEmpty: true })
            _gathering = null;
    }

    /// <summary>The next commit to send, if one is due and none is under way.</summary>
    public PendingCommit? TryBegin() => _underWay ? null : Next();

    /// <summary>The next commit to send; <see langword="null"/>: none is due, and none is under way any more.</summary>
    public PendingCommit? Next()
    {
        if (Stopped || AwaitsRecord || _gathering is not { Due: true } batch)
        {
            _underWay = false;
            return null;
        }

        (_gathering, _writing, _underWay) = (null, batch, true);
        AddAlong(batch);
        ReleaseEarly(batch);
        var touch = TouchDue || context.Time.GetElapsedTime(_touched) > context.TouchEvery;
        if (touch)
            (_touched, TouchDue) = (context.Time.GetTimestamp(), false);
        var commit = batch.ToCommit(record, ++_number, LastPosition, touch, _takeOverTook, UnreadBeside(batch));
        _takeOverTook = null;
        return new(batch, commit);
    }

    /// <summary>The store has a batch.</summary>
    public void Committed(CommitBatch batch)
    {
        _writing = null;
        Release(batch.TakeEffects());
        if (Stopped)
            return;
        Written = batch.Ticket;
        _confirmed = context.Time.GetTimestamp();
    }

    /// <summary>
    /// The store has lost the session: all that gathers joins the batch under way, for both are in what is written back. Returns the commit to repeat
    /// if it is not known whether the write-back has arrived.
    /// </summary>
    public SessionCommit Absorb(PendingCommit under)
    {
        if (_gathering is { } next)
        {
            under.Batch.Absorb(next);
            _gathering = null;
        }

        ReleaseEarly(under.Batch);
        return under.Batch.ToCommit(record, under.Commit.Number, LastPosition, under.Commit.Touch, under.Commit.TakeOverTook, unread.Positions);
    }

    /// <summary>The store is away: readers of answers that have waited for it for so long are told, and so are those who wait for such a batch.</summary>
    public bool Expire(TimeSpan timeout)
    {
        foreach (var batch in (CommitBatch?[])[_writing, _gathering])
        {
            if (Stopped || batch is null || context.Time.GetElapsedTime(batch.Opened) < timeout)
                continue;
            Overdue = batch.Ticket;
            Release([.. batch.Ending.Select(static stream => new Effect(EffectKind.Overdue, stream))]);
        }

        return Overdue > Written;
    }

    /// <summary>Asks the store by a commit whether the session is still ours, unless it has said so a moment ago.</summary>
    public void Confirm()
    {
        if (context.Time.GetElapsedTime(_confirmed) >= ConfirmedFor)
            Flush();
    }

    /// <summary>Durability.Fast: releases what is to be written soon.</summary>
    public void ReleaseEarly()
    {
        if (_gathering is { Due: true } batch)
            ReleaseEarly(batch);
    }

    /// <summary>Effects that are released and not shown yet; <see langword="null"/> if there are none, or they are not to be shown any more.</summary>
    public List<Effect>? TakeReleased()
    {
        if (Stopped)
            return null;
        var released = _released;
        _released = null;
        return released;
    }

    /// <summary>Ends writing. What waits is never written, and what is released not shown.</summary>
    public void Stop() => Stopped = true;

    private void ReleaseEarly(CommitBatch batch)
    {
        if (context.Durability == Durability.Fast && !Stopped)
            Release(batch.TakeEffects());
    }

    private void Release(List<Effect>? effects)
    {
        if (effects is not { Count: > 0 })
            return;
        if (_released is null)
            _released = effects;
        else
            _released.AddRange(effects);
    }

    // None if the commit cannot trim an unread entry. Most commits append the one answer that is unread.
    private IReadOnlyList<long> UnreadBeside(CommitBatch batch) =>
        unread.Any && (unread.First < batch.FirstPosition || batch.Entries > context.PendingEntries / 2 || batch.Bytes > context.PendingBytes / 2)
            ? unread.Positions : [];
}

/// <summary>A batch and the commit that writes it.</summary>
internal readonly record struct PendingCommit(CommitBatch Batch, SessionCommit Commit);
