using System.Globalization;
using System.Security.Cryptography;
using McpHa.HighAvailability.Sessions;

namespace McpHa.HighAvailability.Stateless;

/// <summary>The cluster's keys as this replica knows them: the newest protects, every one opens.</summary>
/// <remarks>Invariant: a key that was used is in the store, or is put there again before the next use after <see cref="Refresh"/>.</remarks>
internal sealed class KeyRing(IKeyStore store, TimeProvider time) : IDisposable
{
    private const int KeyBytes = 32;

    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RefreshForUnknown = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Renewal = TimeSpan.FromDays(30);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IReadOnlyDictionary<string, ReadOnlyMemory<byte>> _keys = new Dictionary<string, ReadOnlyMemory<byte>>();
    private long _read;

    /// <summary>The key to protect with.</summary>
    /// <exception cref="StoreUnavailableException">There is none yet, and the store is away.</exception>
    public async ValueTask<(string Id, ReadOnlyMemory<byte> Key)> CurrentAsync(CancellationToken cancellationToken)
    {
        await ReadAsync(Refresh, cancellationToken).ConfigureAwait(false);
        if (Newest() is not { } newest || Age(newest) > Renewal)
        {
            // Two replicas may do that at the same time: then there are two keys, which both know from the next reading on.
            await ShareAsync(new Dictionary<string, ReadOnlyMemory<byte>>(Volatile.Read(ref _keys)) { [NewId()] = RandomNumberGenerator.GetBytes(KeyBytes) }, cancellationToken)
                .ConfigureAwait(false);
            newest = Newest()!;
        }

        return (newest, Volatile.Read(ref _keys)[newest]);
    }

    /// <summary>A key by its id; <see langword="null"/> when the cluster has none of that id.</summary>
    /// <exception cref="StoreUnavailableException">It is not known here, and the store is away.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> FindAsync(string id, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _keys).TryGetValue(id, out var known))
            return known;

        // Not for every forgery.
        await ReadAsync(RefreshForUnknown, cancellationToken).ConfigureAwait(false);
        return Volatile.Read(ref _keys).TryGetValue(id, out var found) ? found : default(ReadOnlyMemory<byte>?);
    }

    public void Dispose() => _gate.Dispose();

    private async ValueTask ReadAsync(TimeSpan oldest, CancellationToken cancellationToken)
    {
        if (IsFresh(oldest))
            return;
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!IsFresh(oldest))
                await ShareAsync(Volatile.Read(ref _keys), cancellationToken).ConfigureAwait(false);
        }
        catch (StoreUnavailableException) when (Volatile.Read(ref _keys).Count > 0 && oldest == Refresh)
        {
            // What is known goes on to protect.
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask ShareAsync(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken)
    {
        var all = await store.ShareAsync(own, cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _keys, all.Where(key => key.Value.Length == KeyBytes).ToDictionary(StringComparer.Ordinal));
        Volatile.Write(ref _read, time.GetTimestamp());
    }

    private bool IsFresh(TimeSpan oldest) => Volatile.Read(ref _keys).Count > 0 && time.GetElapsedTime(Volatile.Read(ref _read)) < oldest;

    // Ids begin with the time of their making, in a fixed width.
    private string? Newest()
    {
        string? newest = null;
        foreach (var id in Volatile.Read(ref _keys).Keys)
            newest = string.CompareOrdinal(id, newest) > 0 ? id : newest;
        return newest;
    }

    private string NewId() => $"{time.GetUtcNow().ToUnixTimeSeconds():x10}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    private TimeSpan Age(string id) =>
        long.TryParse(id.AsSpan(0, Math.Max(0, id.IndexOf('-', StringComparison.Ordinal))), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var made)
            ? time.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(made)
            : TimeSpan.MaxValue;
}
