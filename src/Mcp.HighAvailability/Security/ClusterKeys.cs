using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.KeyManagement.Internal;

namespace Mcp.HighAvailability.Security;

/// <summary>Makes this replica learn of keys that other replicas have made. Data protection by itself reads its keys once a day.</summary>
internal sealed class ClusterKeys : IKeyManager, IDisposable
{
    /// <summary>How soon keys are read again after this replica has made one: another replica may have made the first key at the same time.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(10);

    private readonly IKeyManager _keys;
    private readonly TimeProvider _time;
    private readonly ITimer _settled;
    private CancellationTokenSource _expired = new();
    private long _readAt;

    public ClusterKeys(IKeyManager keys, TimeProvider time)
    {
        (_keys, _time) = (keys, time);
        _settled = time.CreateTimer(static self => ((ClusterKeys)self!).Expire(TimeSpan.Zero), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public IReadOnlyCollection<IKey> GetAllKeys()
    {
        Volatile.Write(ref _readAt, _time.GetTimestamp());
        return _keys.GetAllKeys();
    }

    public IKey CreateNewKey(DateTimeOffset activationDate, DateTimeOffset expirationDate)
    {
        var key = _keys.CreateNewKey(activationDate, expirationDate);
        _settled.Change(Settling, Timeout.InfiniteTimeSpan);
        return key;
    }

    public CancellationToken GetCacheExpirationToken() =>
        CancellationTokenSource.CreateLinkedTokenSource(_keys.GetCacheExpirationToken(), Volatile.Read(ref _expired).Token).Token;

    public void RevokeKey(Guid keyId, string? reason = null) => _keys.RevokeKey(keyId, reason);

    public void RevokeAllKeys(DateTimeOffset revocationDate, string? reason = null) => _keys.RevokeAllKeys(revocationDate, reason);

    /// <summary>Has the keys read again in the background, if the last reading is at least that old.</summary>
    public bool Expire(TimeSpan age)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _readAt)) < age)
            return false;
        Interlocked.Exchange(ref _expired, new()).Cancel();
        return true;
    }

    /// <summary>Reads the keys again and waits for that, unless it was done within the last moments. <see langword="false"/>: it was.</summary>
    public async ValueTask<bool> RefreshAsync(IKeyRingProvider rings, TimeSpan age, CancellationToken cancellationToken)
    {
        var before = rings.GetCurrentKeyRing();
        if (!Expire(age))
            return false;

        // Data protection reads in the background and goes on with the old ring meanwhile.
        while (ReferenceEquals(rings.GetCurrentKeyRing(), before))
            await Task.Delay(TimeSpan.FromMilliseconds(5), cancellationToken);
        return true;
    }

    public void Dispose()
    {
        _settled.Dispose();
        _expired.Dispose();
    }
}
