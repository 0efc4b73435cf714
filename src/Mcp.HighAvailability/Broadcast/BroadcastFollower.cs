using System.Collections.Concurrent;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>Follows the log for this replica: hears what is pushed, reads what is missing, and wakes the readers.</summary>
/// <remarks>
/// One reader costs a place in a table; what it reads is shared. The log is read when the replica starts, when a number is missing, when a reader brings
/// a position that is not known here, and every <see cref="BroadcastOptions.ReadInterval"/>, because the last push may be the one that was lost.
/// </remarks>
internal sealed partial class BroadcastFollower(
    IBroadcastLog log, IEventBus bus, IOptions<BroadcastOptions> options, TimeProvider time, ILogger<BroadcastFollower> logger) : BackgroundService
{
    // Readers are woken side by side in slices of this size: a wake may write to a connection.
    private const int Slice = 512;

    private readonly Lock _gate = new();
    private readonly BroadcastChain _chain = new(options.Value);
    private readonly ConcurrentDictionary<IBroadcastReader, byte> _readers = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SemaphoreSlim _missing = new(0, 1);
    private long _reads;

    /// <summary>Entries of the log kept here.</summary>
    public BroadcastOptions Options => options.Value;

    /// <summary>Behind the newest entry that is known here.</summary>
    public BroadcastCursor Last
    {
        get
        {
            lock (_gate)
                return _chain.Last;
        }
    }

    /// <summary>Ordinal of the newest entry of the first read: what came before this replica.</summary>
    public long Began
    {
        get
        {
            lock (_gate)
                return _chain.Began;
        }
    }

    /// <summary>Position that this replica knows, for the next append.</summary>
    public BroadcastPosition Head
    {
        get
        {
            lock (_gate)
                return _chain.Head;
        }
    }

    /// <summary>The first kept entry behind an ordinal; <see langword="null"/> if there is none.</summary>
    public FollowedBroadcast? Next(long after)
    {
        lock (_gate)
            return _chain.Next(after);
    }

    /// <summary>Wakes a reader whenever the log grows, until <see cref="Remove"/>.</summary>
    public void Add(IBroadcastReader reader) => _readers.TryAdd(reader, 0);

    public void Remove(IBroadcastReader reader) => _readers.TryRemove(reader, out _);

    /// <summary>Takes in an entry that was pushed or appended.</summary>
    public void Receive(BroadcastEntry entry)
    {
        bool grown, missing;
        lock (_gate)
        {
            var before = _chain.Last;
            missing = !_chain.TryAdd(entry);
            grown = before != _chain.Last;
        }

        if (missing)
            RequestRead();
        if (grown)
            WakeReaders();
    }

    /// <summary>Where the log is now, for a reader that begins.</summary>
    /// <exception cref="StoreUnavailableException">The log was never read here, and cannot be read now.</exception>
    public async ValueTask<BroadcastCursor> BeginAsync(CancellationToken cancellationToken)
    {
        bool read;
        lock (_gate)
            read = _chain.IsRead;
        if (!read)
            await ReadAsync(cancellationToken).ConfigureAwait(false);
        return Last;
    }

    /// <summary>Where a reader goes on that has come to a position, here or in another replica. Reads the log if the position is not known here.</summary>
    /// <exception cref="StoreUnavailableException">The log cannot be read.</exception>
    public async ValueTask<BroadcastLocation> LocateAsync(BroadcastPosition position, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_chain.Locate(position) is { } location)
                return location;
        }

        await ReadAsync(cancellationToken).ConfigureAwait(false);
        lock (_gate)
            return _chain.Locate(position) ?? _chain.LocateUnknown(position);
    }

    /// <summary>Reads the log from where this replica is. Reads that wait for one another are one.</summary>
    /// <exception cref="StoreUnavailableException">The log cannot be read.</exception>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        var begun = Interlocked.Read(ref _reads);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        bool grown;
        try
        {
            // The one that was under way had begun before; the one after it had not.
            if (Interlocked.Read(ref _reads) > begun + 1)
                return;
            bool loaded;
            do
            {
                var asked = Head;
                var page = await log.ReadAsync(asked, cancellationToken).ConfigureAwait(false);
                lock (_gate)
                {
                    var before = _chain.Last;
                    loaded = _chain.TryLoad(page, asked);
                    grown = before != _chain.Last;
                }
            }
            while (!loaded);

            Interlocked.Increment(ref _reads);
        }
        finally
        {
            _turn.Release();
        }

        if (grown)
            WakeReaders();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var listener = new BusListener(bus, IBroadcastLog.Topic, time, logger);
        listener.Start(ReceiveAsync);
        var away = false;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    await ReadAsync(stoppingToken).ConfigureAwait(false);
                    away = false;
                }
                catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
                {
                    if (!away)
                        LogNotRead(e, e is StoreUnavailableException ? LogLevel.Warning : LogLevel.Error);
                    away = true;
                }

                await WaitAsync(stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The usual end.
        }
        finally
        {
            await listener.StopAsync().ConfigureAwait(false);
        }
    }

    // Until the next look, or until a number is missing.
    private async Task WaitAsync(CancellationToken stoppingToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        await Task.WhenAny(Task.Delay(options.Value.ReadInterval, time, over.Token), _missing.WaitAsync(over.Token)).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
    }

    private ValueTask ReceiveAsync(ReadOnlyMemory<byte> payload)
    {
        if (BroadcastEntry.TryRead(payload, out var entry))
            Receive(entry);
        return ValueTask.CompletedTask;
    }

    private void RequestRead()
    {
        try
        {
            _missing.Release();
        }
        catch (SemaphoreFullException)
        {
            // A read is due already.
        }
    }

    private void WakeReaders()
    {
        foreach (var slice in _readers.Keys.Chunk(Slice))
            ThreadPool.UnsafeQueueUserWorkItem(static readers => Array.ForEach(readers, static reader => reader.Wake()), slice, preferLocal: false);
    }

    [LoggerMessage(Message = "The broadcast log cannot be read. Broadcasts wait; the replica tries again.")]
    private partial void LogNotRead(Exception exception, LogLevel level);
}
