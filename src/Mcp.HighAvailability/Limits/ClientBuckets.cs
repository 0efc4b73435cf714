using System.Collections.Concurrent;
using System.Threading.RateLimiting;

namespace Mcp.HighAvailability.Limits;

/// <summary>A token bucket per client, refilled when it is used: no timer runs, and no work is done for clients that are silent.</summary>
/// <remarks>Two generations: a used bucket moves to the young one. A bucket is forgotten only after a time in which it fills up, so nothing is lost with
/// it.</remarks>
internal sealed class ClientBuckets
{
    private static readonly TimeSpan MinGeneration = TimeSpan.FromMinutes(1);

    private readonly TokenBucketRateLimiterOptions _options;
    private readonly TimeProvider _time;
    private readonly TimeSpan _generation;
    private readonly Lock _turning = new();
    private volatile ConcurrentDictionary<string, TokenBucketRateLimiter> _young = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, TokenBucketRateLimiter> _old = new(StringComparer.Ordinal);
    private long _turned;

    public ClientBuckets(int perSecond, int burst, TimeProvider time)
    {
        _options = new()
        {
            TokenLimit = burst,
            TokensPerPeriod = perSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            AutoReplenishment = false,
        };
        _time = time;
        var refill = TimeSpan.FromSeconds(1 + (burst / perSecond));
        _generation = refill > MinGeneration ? refill : MinGeneration;
        _turned = time.GetTimestamp();
    }

    /// <summary>Clients that are remembered.</summary>
    public int Count => _young.Count + _old.Keys.Count(client => !_young.ContainsKey(client));

    /// <summary>Takes a token of a client, if it has one.</summary>
    public RateLimitLease Take(string client)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _turned)) >= _generation)
            Turn();
        if (!_young.TryGetValue(client, out var bucket))
            bucket = _young.GetOrAdd(client, _old.TryGetValue(client, out var known) ? known : new TokenBucketRateLimiter(_options));
        bucket.TryReplenish();
        return bucket.AttemptAcquire();
    }

    private void Turn()
    {
        lock (_turning)
        {
            var elapsed = _time.GetElapsedTime(_turned);
            if (elapsed < _generation)
                return;
            _old = elapsed < 2 * _generation ? _young : new(StringComparer.Ordinal);
            _young = new(StringComparer.Ordinal);
            Volatile.Write(ref _turned, _time.GetTimestamp());
        }
    }
}
