using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Journal;
using Microsoft.Extensions.Logging;

namespace McpHa.HighAvailability.Sessions;

/// <summary>What a commit queue tells the session that it writes for.</summary>
internal interface ICommitOwner
{
    /// <summary>Another replica owns the session: stop at once.</summary>
    void Fenced();

    /// <summary>The store has lost the session: write all of it back.</summary>
    ValueTask<CommitResult> WriteBackAsync(long lastCommit, CancellationToken cancellationToken);
}

/// <summary>Writes of one session, in order: one commit under way, everything meanwhile gathers in the next.</summary>
/// <remarks>
/// Invariant: an effect (a byte for the client) happens after the commit that holds it was answered, and in the order of the
/// commits. The exceptions are named: <see cref="Durability.Fast"/>, and a store that stays away longer than
/// <see cref="HighAvailabilityOptions.DurableTimeout"/>, which is counted.
/// </remarks>
internal sealed partial class CommitQueue(
    string sessionId, long epoch, long lastCommit, long lastPosition, CommitContext context, ICommitOwner owner)
{
    private readonly ILogger _logger = context.Logger;
    private readonly CancellationTokenSource _stopped = new();
    private readonly Lock _showing = new();
    private CommitBatch? _pending;
    private bool _flushing;
    private long _number = lastCommit;
    private long _position = lastPosition;
    private long _touched = context.Time.GetTimestamp();

    /// <summary>The session's lock: guards this queue, its open batch, and the session's tables.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Highest position in use. Call under the gate.</summary>
    public long LastPosition => _position;

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

    /// <summary>Gives the next position on a stream to a message and puts it into the open batch. Call under the gate.</summary>
    public JournalEntry Append(EventStream stream, ReadOnlyMemory<byte> payload, string answers = "")
    {
        var entry = new JournalEntry
        {
            Position = ++_position,
            Stream = stream.Id,
            Previous = stream.LastPosition,
            Answers = answers,
            Payload = payload,
            Time = context.Time.GetUtcNow(),
        };
        stream.LastPosition = entry.Position;
        var batch = Open();
        if (batch.Entries >= context.PendingEntries)
        {
            batch.DropOldestEntry();
            context.Metrics.GivenUp(1);
        }

        batch.Append(entry);
        batch.Then(new(EffectKind.Publish, stream, entry));
        return entry;
    }

    /// <summary>Starts writing unless a commit is under way. Call without the gate.</summary>
    public void Flush() => Flush(only: null);

    /// <summary>Starts writing if the given batch still gathers (any batch when <see langword="null"/>). Call without the gate.</summary>
    public void Flush(CommitBatch? only)
    {
        if (context.Durability == Durability.Fast)
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

    /// <summary>Renews the store's expiry if that was last done so long ago.</summary>
    public Task KeepAsync(TimeSpan age)
    {
        Task done;
        lock (Gate)
        {
            if (context.Time.GetElapsedTime(_touched) < age)
                return Task.CompletedTask;
            done = Open().Done;
        }

        Flush();
        return done;
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
            _pending = null;
            if (batch is null || _stopped.IsCancellationRequested)
            {
                _flushing = false;
                return default;
            }

            var touch = context.Time.GetElapsedTime(_touched) > context.TouchEvery;
            if (touch)
                _touched = context.Time.GetTimestamp();
            return (batch, batch.ToCommit(epoch, ++_number, _position, touch));
        }
    }

    private async Task WriteAsync()
    {
        while (true)
        {
            var (batch, commit) = context.Durability == Durability.Fast ? ShowAtOnce(take: true) : Take();
            if (batch is null || commit is null)
                break;
            if (!await CommitAsync(batch, commit).ConfigureAwait(false))
                break;
            if (commit.Append.Count > 0)
                context.Metrics.Journaled(commit.Append.Count);
            foreach (var effect in batch.TakeEffects())
                effect.Run();
            batch.Finish();
        }
    }

    // True: written. False: fenced or stopped, and nothing of the batch was or will be shown.
    private async Task<bool> CommitAsync(CommitBatch batch, SessionCommit commit)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var result = await context.Store.CommitAsync(sessionId, commit, _stopped.Token).ConfigureAwait(false);
                if (result == CommitResult.Lost)
                {
                    LogLost(sessionId);
                    result = await owner.WriteBackAsync(commit.Number - 1, _stopped.Token).ConfigureAwait(false);
                    if (result == CommitResult.Committed)
                    {
                        context.Metrics.WrittenBack();
                        continue;
                    }
                }

                if (result == CommitResult.Committed && !_stopped.IsCancellationRequested)
                    return true;

                if (result != CommitResult.Committed)
                {
                    context.Metrics.Fenced();
                    LogFenced(sessionId, epoch);
                }
            }
            catch (StoreUnavailableException e)
            {
                if (attempt == 0)
                    LogUnavailable(sessionId, e.Message);
                if (!_stopped.IsCancellationRequested)
                {
                    ShowOverdue(batch);
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(1_000, 25 << Math.Min(attempt, 6))), context.Time).ConfigureAwait(false);
                    continue;
                }
            }
            catch (OperationCanceledException) when (_stopped.IsCancellationRequested)
            {
                // Falls through: the session has ended here.
            }
            catch (Exception e)
            {
                LogBroken(e, sessionId);
            }

            // First the end, then the readers: they come back for the session at once, and must not find this copy of it.
            owner.Fenced();
            batch.Cancel();
            return false;
        }
    }

    // Durable writes wait for the store, but not for ever: then they are shown and counted, in their order.
    private void ShowOverdue(CommitBatch batch)
    {
        if (context.Time.GetElapsedTime(batch.Opened) < context.DurableTimeout)
            return;
        Show(batch);
        CommitBatch? next;
        lock (Gate)
            next = _pending is { } p && context.Time.GetElapsedTime(p.Opened) >= context.DurableTimeout ? p : null;
        if (next is not null)
            Show(next);

        void Show(CommitBatch late)
        {
            IReadOnlyList<Effect> effects;
            lock (Gate)
                effects = late.TakeEffects();
            if (effects.Count > 0)
                context.Metrics.Unjournaled(effects.Count(e => e.Kind == EffectKind.Publish));
            foreach (var effect in effects)
                effect.Run();
            late.Finish();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Session {SessionId}: another replica owns it now, epoch {Epoch} was refused; the local copy ends.")]
    private partial void LogFenced(string sessionId, long epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId}: the store is away, writes wait: {Reason}")]
    private partial void LogUnavailable(string sessionId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId}: the store has lost it; it is written back.")]
    private partial void LogLost(string sessionId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: what the store holds cannot be written; this session ends here, others go on.")]
    private partial void LogBroken(Exception exception, string sessionId);
}
