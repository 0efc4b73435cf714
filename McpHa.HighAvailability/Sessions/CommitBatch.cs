using McpHa.HighAvailability.Journal;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Writes of a session that are collected until the commit before them is answered. Guarded by the commit queue's lock.</summary>
internal sealed class CommitBatch
{
    private readonly List<KeyValuePair<string, ReadOnlyMemory<byte>?>> _calls = [];
    private List<JournalEntry>? _append;
    private List<long>? _remove;
    private List<KeyValuePair<string, ReadOnlyMemory<byte>?>>? _state;
    private List<KeyValuePair<string, ReadOnlyMemory<byte>?>>? _handshake;
    private List<Effect>? _effects;
    private TaskCompletionSource? _done;

    /// <summary>When the batch was opened (timestamp of the time provider).</summary>
    public required long Opened { get; init; }

    /// <summary>Completes when the batch is committed, or when its time to wait for the store is over; cancelled by a fence.</summary>
    public Task Done => (_done ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public int Entries => _append?.Count ?? 0;

    public void Append(JournalEntry entry) => (_append ??= []).Add(entry);

    /// <summary>Gives up the oldest entry: too many wait for a store that is away.</summary>
    public void DropOldestEntry() => _append!.RemoveAt(0);

    public void Remove(long position) => (_remove ??= []).Add(position);

    public void SetCall(string key, ReadOnlyMemory<byte>? value) => _calls.Add(new(key, value));

    /// <summary>Takes back an entry that was set in this very batch: the call began and ended between two commits.</summary>
    public bool TakeBackCall(string key) => _calls.RemoveAll(c => c.Key == key) > 0;

    public void SetState(string key, ReadOnlyMemory<byte>? value) => (_state ??= []).Add(new(key, value));

    public void SetHandshake(string key, ReadOnlyMemory<byte>? value) => (_handshake ??= []).Add(new(key, value));

    /// <summary>Something that a client sees, and that must therefore wait for the commit.</summary>
    public void Then(Effect effect) => (_effects ??= []).Add(effect);

    public void ForgetPrime(EventStream stream) => _effects?.RemoveAll(e => e.Stream == stream && e.Kind == EffectKind.Prime);

    /// <summary>Takes the effects out, so that they happen once.</summary>
    public IReadOnlyList<Effect> TakeEffects()
    {
        IReadOnlyList<Effect> effects = _effects ?? (IReadOnlyList<Effect>)[];
        _effects = null;
        return effects;
    }

    public void Finish() => _done?.TrySetResult();

    /// <summary>Nothing of it was or will be written. Who waits for an effect is sent elsewhere: its call may be in no table any more.</summary>
    public void Cancel()
    {
        foreach (var effect in TakeEffects())
            effect.Stream.Move();
        (_done ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetCanceled();
    }

    public SessionCommit ToCommit(long epoch, long number, long lastPosition, bool touch) => new()
    {
        Epoch = epoch,
        Number = number,
        LastPosition = lastPosition,
        Append = _append ?? (IReadOnlyList<JournalEntry>)[],
        Remove = _remove ?? (IReadOnlyList<long>)[],
        Calls = _calls,
        State = _state ?? (IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>>)[],
        Handshake = _handshake ?? (IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>>)[],
        Touch = touch,
    };
}

/// <summary>What becomes visible with a commit.</summary>
internal readonly record struct Effect(EffectKind Kind, EventStream Stream, JournalEntry? Entry = null)
{
    public void Run()
    {
        switch (Kind)
        {
            case EffectKind.Publish:
                Stream.Publish(Entry!);
                break;
            case EffectKind.Prime:
                Stream.Prime();
                break;
            case EffectKind.Complete:
                Stream.Complete();
                break;
        }
    }
}

internal enum EffectKind
{
    Publish,
    Prime,
    Complete,
}
