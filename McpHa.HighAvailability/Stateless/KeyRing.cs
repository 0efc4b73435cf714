using System.Globalization;
using System.Security.Cryptography;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.Logging;

namespace McpHa.HighAvailability.Stateless;

/// <summary>The cluster's keys as this replica knows them: the newest protects, every one opens.</summary>
/// <remarks>Invariant: a key that was used is in the store, or is put there again before the next use after <see cref="Refresh"/>.</remarks>
internal sealed partial class KeyRing(IKeyStore store, TimeProvider time, ILogger<KeyRing>? logger = null) : IDisposable
{
    private const int KeyBytes = 32;
    private const int TimeDigits = 10;
    private const int RandomDigits = 8;

    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RefreshForUnknown = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Renewal = TimeSpan.FromDays(30);

    // Clocks of replicas differ.
    private static readonly TimeSpan Skew = TimeSpan.FromDays(1);

    private static readonly System.Buffers.SearchValues<char> Digits = System.Buffers.SearchValues.Create("0123456789abcdef");

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IReadOnlyDictionary<string, ReadOnlyMemory<byte>> _keys = new Dictionary<string, ReadOnlyMemory<byte>>();
    private long _read;
    private int _foreign;

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
        catch (Exception e) when (e is StoreUnavailableException or InvalidDataException && Volatile.Read(ref _keys).Count > 0 && oldest == Refresh)
        {
            // What is known goes on to protect. A store that is away is reported elsewhere.
            if (e is InvalidDataException && logger is not null)
                LogDamaged(logger, e);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask ShareAsync(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken)
    {
        var all = await store.ShareAsync(own, cancellationToken).ConfigureAwait(false);
        var ours = all.Where(key => key.Value.Length == KeyBytes && IsOurs(key.Key)).ToDictionary(StringComparer.Ordinal);
        if (Interlocked.Exchange(ref _foreign, all.Count - ours.Count) is var before && all.Count - ours.Count > before && logger is not null)
            LogForeign(logger, all.Count - ours.Count);
        Volatile.Write(ref _keys, ours);
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

    private TimeSpan Age(string id) => time.GetUtcNow() - MadeAt(id);

    private static DateTimeOffset MadeAt(string id) =>
        DateTimeOffset.FromUnixTimeSeconds(long.Parse(id.AsSpan(0, TimeDigits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));

    // What is no key of a replica must not be taken for the newest: it would be renewed for ever. Nor one that is not made yet.
    private bool IsOurs(string id) =>
        id.Length == TimeDigits + 1 + RandomDigits && id[TimeDigits] == '-' &&
        !id.AsSpan(0, TimeDigits).ContainsAnyExcept(Digits) && !id.AsSpan(TimeDigits + 1).ContainsAnyExcept(Digits) &&
        long.Parse(id.AsSpan(0, TimeDigits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) <= (time.GetUtcNow() + Skew).ToUnixTimeSeconds();

    [LoggerMessage(Level = LogLevel.Error, Message = "The cluster's keys cannot be read; this replica goes on with those that it knows.")]
    private static partial void LogDamaged(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} of the cluster's keys are not ours and are ignored; something else writes them.")]
    private static partial void LogForeign(ILogger logger, int count);
}
