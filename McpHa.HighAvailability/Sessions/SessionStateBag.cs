namespace McpHa.HighAvailability.Sessions;

/// <summary>The state of one session in its owner: read once, then kept, because only the owner writes it.</summary>
internal sealed class SessionStateBag(string sessionId, ISessionStore store)
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private Dictionary<string, ReadOnlyMemory<byte>>? _committed;

    /// <summary>What is committed, as far as it was ever read here.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Known => _committed ?? [];

    public StateTransaction Begin() => new Transaction(this);

    /// <summary>
    /// Takes a call's writes over into what is committed and lets the next call have its turn. The store gets the same writes with
    /// the commit that is being enqueued; commits keep their order, so the next call may go on at once.
    /// </summary>
    public void Commit(StateTransaction transaction)
    {
        foreach (var (key, value) in transaction.Writes)
        {
            if (value is { } bytes)
                _committed![key] = bytes;
            else
                _committed!.Remove(key);
        }

        Abandon(transaction);
    }

    /// <summary>Forgets a call's writes and lets the next call have its turn.</summary>
    public static void Abandon(StateTransaction transaction) => ((Transaction)transaction).Leave();

    private sealed class Transaction(SessionStateBag bag) : StateTransaction
    {
        private readonly SemaphoreSlim _entry = new(1, 1);
        private bool _entered;
        private bool _left;

        protected override async ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadAsync(CancellationToken cancellationToken)
        {
            if (!Volatile.Read(ref _entered))
                await EnterAsync(cancellationToken).ConfigureAwait(false);
            return bag._committed!;
        }

        public void Leave()
        {
            // A call that still waits for its turn notices when it gets it.
            lock (_entry)
            {
                if (_left)
                    return;
                _left = true;
                if (_entered)
                    bag._turn.Release();
            }
        }

        private async ValueTask EnterAsync(CancellationToken cancellationToken)
        {
            await _entry.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_entered)
                    return;
                await bag._turn.WaitAsync(cancellationToken).ConfigureAwait(false);
                try
                {
                    await bag.ReadOnceAsync(cancellationToken).ConfigureAwait(false);
                }
                catch
                {
                    bag._turn.Release();
                    throw;
                }

                lock (_entry)
                {
                    if (_left)
                    {
                        bag._turn.Release();
                        throw new InvalidOperationException("The call has ended; state can only be used while it runs.");
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

    private async ValueTask ReadOnceAsync(CancellationToken cancellationToken) =>
        _committed ??= new(await store.ReadStateAsync(sessionId, cancellationToken).ConfigureAwait(false));
}
