using System.Threading.Tasks.Sources;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Timing;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One HTTP response that reads a stream: a mailbox with a single reader and a bound on what it holds.</summary>
/// <remarks>
/// Writers never wait for the reader. When it falls behind the bound, its backlog is dropped and it is told to catch up from the
/// journal, so a slow client costs bounded memory and delays no other client. The answer that ends a call's stream is held at any size: the reader
/// gets it even when the journal has no room for it.
/// </remarks>
internal sealed class StreamSubscription : IValueTaskSource, IKeptAlive, IBroadcastReader
{
    private const int MaxEntries = 256;
    private const int MaxBytes = 1024 * 1024;

    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<bool> _wake;
    private JournalEntry? _single;
    private JournalEntry? _answer;
    private Queue<JournalEntry>? _more;
    private int _bytes;
    private bool _waiting;
    private bool _catchUp;
    private bool _primed;
    private bool _broadcasts;
    private bool _keepAlive;
    private bool _completed;
    private TimeSpan? _poll;
    private bool _moved;
    private bool _overdue;

    /// <summary>Where the connection is going to be read; set by the stream that it is attached to.</summary>
    public EventStream? Stream { get; set; }

    /// <summary>How far the response has come in the broadcast log.</summary>
    public BroadcastCursor At { get; set; }

    /// <inheritdoc/>
    public Due<IKeptAlive>? Due { get; set; }

    /// <summary>The commit before which the response gets no broadcast; <see langword="null"/>: none.</summary>
    public long? Awaits { get; set; }

    public void Post(JournalEntry entry)
    {
        lock (_gate)
        {
            var answers = entry.Answers.Length > 0 && Stream?.Id == entry.Stream;
            if (_catchUp && !answers)
                return;
            _bytes += answers ? 0 : entry.Payload.Length;
            if (answers)
            {
                _answer = entry;
            }
            else if (_bytes > MaxBytes || _more?.Count >= MaxEntries)
            {
                (_single, _more, _bytes, _catchUp) = (null, null, 0, true);
            }
            else if (_single is null && _more is null)
            {
                _single = entry;
            }
            else
            {
                (_more ??= new Queue<JournalEntry>()).Enqueue(entry);
            }
        }

        Wake();
    }

    public void Prime() => Signal(ref _primed);

    void IBroadcastReader.Wake() => Signal(ref _broadcasts);

    public void KeepAlive() => Signal(ref _keepAlive);

    public void Poll(TimeSpan retry)
    {
        lock (_gate)
            _poll = retry;
        Wake();
    }

    public void Complete() => Signal(ref _completed);

    public void Overdue() => Signal(ref _overdue);

    public void Move() => Signal(ref _moved);

    /// <summary>Starts with the journal rather than with what is posted from now on.</summary>
    public void StartWithCatchUp() => Signal(ref _catchUp);

    /// <summary>The next item; waits for one. Throws when the token ends.</summary>
    public async ValueTask<StreamItem> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            short version;
            lock (_gate)
            {
                if (TryTake(out var item))
                    return item;
                _wake.Reset();
                version = _wake.Version;
                _waiting = true;
            }

            using (cancellationToken.UnsafeRegister(static s => ((StreamSubscription)s!).Wake(), this))
                await new ValueTask(this, version).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    void IValueTaskSource.GetResult(short token) => _wake.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wake.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wake.OnCompleted(continuation, state, token, flags);

    // What was posted before the end comes before the end; a move comes before everything, because nothing may be sent after it.
    private bool TryTake(out StreamItem item)
    {
        if (_moved)
        {
            item = new(StreamItemKind.Moved);
        }
        else if (_catchUp)
        {
            _catchUp = false;
            item = new(StreamItemKind.CatchUp);
        }
        else if (_single is { } single)
        {
            _bytes -= single.Payload.Length;
            _single = null;
            item = new(StreamItemKind.Event, single);
        }
        else if (_more is { Count: > 0 } more)
        {
            var next = more.Dequeue();
            _bytes -= next.Payload.Length;
            item = new(StreamItemKind.Event, next);
            if (more.Count == 0)
                _more = null;
        }
        else if (_answer is { } answer)
        {
            _answer = null;
            item = new(StreamItemKind.Event, answer);
        }
        else if (_overdue && !_completed)
        {
            item = new(StreamItemKind.Overdue);
        }
        else if (_primed)
        {
            _primed = false;
            item = new(StreamItemKind.Primed);
        }
        else if (_broadcasts && !_completed)
        {
            _broadcasts = false;
            item = new(StreamItemKind.Broadcasts);
        }
        else if (_poll is { } retry && !_completed)
        {
            item = new(StreamItemKind.Poll, Retry: retry);
        }
        else if (_completed)
        {
            item = new(StreamItemKind.Completed);
        }
        else if (_keepAlive)
        {
            _keepAlive = false;
            item = new(StreamItemKind.KeepAlive);
        }
        else
        {
            item = default;
            return false;
        }

        return true;
    }

    private void Signal(ref bool flag)
    {
        lock (_gate)
            flag = true;
        Wake();
    }

    private void Wake()
    {
        lock (_gate)
        {
            if (!_waiting)
                return;
            _waiting = false;
        }

        _wake.SetResult(true);
    }
}
