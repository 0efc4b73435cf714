namespace Mcp.HighAvailability.Sessions;

/// <summary>Holds the committed state of one session in its owner. It is written back if the store loses its data.</summary>
/// <remarks>
/// Steps alone change and copy what is committed, so the session's turn guards it. The call that has touched the state reads it until the call
/// ends; no step changes it meanwhile, except that of the call's own answer.
/// </remarks>
internal sealed class SessionStateBag
{
    private SemaphoreSlim? _turn;
    private Dictionary<string, ReadOnlyMemory<byte>>? _committed;

    /// <summary>Takes over what an earlier owner has left; before the session serves.</summary>
    public void Load(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> stored)
    {
        if (stored.Count > 0)
            _committed = new(stored);
    }

    /// <summary>Returns a copy of the committed state. Call in a step.</summary>
    public Dictionary<string, ReadOnlyMemory<byte>> Copy() => _committed is { } committed ? new(committed) : [];

    public StateTransaction Begin() => new Transaction(this);

    /// <summary>
    /// Takes a call's writes over into what is committed. Call in a step. The store gets the same writes with the commit that gathers; commits keep their
    /// order, so the next call may go on at once.
    /// </summary>
    public void Apply(IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> writes)
    {
        foreach (var (key, value) in writes)
        {
            if (value is { } bytes)
                (_committed ??= [])[key] = bytes;
            else
                _committed?.Remove(key);
        }
    }

    /// <summary>Ends a call's turn, and forgets its writes unless they were applied. The next call may go on.</summary>
    public static void Abandon(StateTransaction transaction) => ((Transaction)transaction).Leave();

    private SemaphoreSlim Turn => LazyInitializer.EnsureInitialized(ref _turn, static () => new SemaphoreSlim(1, 1));

    private sealed class Transaction(SessionStateBag bag) : StateTransaction
    {
        private static readonly IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Nothing = new Dictionary<string, ReadOnlyMemory<byte>>();
        private readonly SemaphoreSlim _entry = new(1, 1);
        private readonly Lock _gate = new();
        private bool _entered;
        private bool _left;

        protected override async ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadAsync(CancellationToken cancellationToken)
        {
            if (!Volatile.Read(ref _entered))
                await EnterAsync(cancellationToken).ConfigureAwait(false);

            // The holder of the turn has exclusive access: nothing changes under a reader.
            return bag._committed ?? Nothing;
        }

        public void Leave()
        {
            // A call that still waits for its turn notices when it gets it.
            lock (_gate)
            {
                if (_left)
                    return;
                _left = true;
                if (_entered)
                    bag.Turn.Release();
            }
        }

        private async ValueTask EnterAsync(CancellationToken cancellationToken)
        {
            await _entry.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_entered)
                    return;
                await bag.Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
                lock (_gate)
                {
                    if (_left)
                    {
                        bag.Turn.Release();
                        throw new InvalidOperationException("The call has ended. Session state is available only while a call runs.");
                    }

                    _entered = true;
                }
            }
            finally
            {
                _entry.Release();
            }
        }
    }
}
