using System.Diagnostics.Metrics;
using System.Numerics;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Calls that this balancer relayed, in the last minute.</summary>
/// <param name="PerSecond">Calls that ended per second, over the last 10 seconds.</param>
/// <param name="Count">Calls that ended in the last 60 seconds; percentiles are theirs.</param>
/// <param name="P50">Half of them took no longer, from the first byte of the request to the last one of the answer; within 7 %.</param>
/// <param name="P99">99 of 100 took no longer.</param>
internal readonly record struct CallFigures(double PerSecond, long Count, TimeSpan P50, TimeSpan P99);

/// <summary>Counts calls by how long they took, second by second. On the way of every call: no lock, no allocation.</summary>
/// <remarks>
/// A call is an exchange that a client waits for: every POST but those that only listen. Buckets are eighths of powers of two of a microsecond. A second's
/// buckets are cleared by the first call of another second that needs them; what is counted at that very moment may be lost, a handful at most.
/// </remarks>
internal sealed class CallMeter(TimeProvider time, IMeterFactory? meters = null)
{
    private const int Seconds = 64;
    private const int RateSeconds = 10;
    private const int PercentileSeconds = 60;
    private const int SubBits = 3;
    private const int Buckets = 256;

    private readonly long _started = time.GetTimestamp();
    private readonly int[] _counts = new int[Seconds * Buckets];
    private readonly long[] _second = new long[Seconds];
    private readonly Histogram<double>? _duration = meters?.Create(HighAvailabilityDiagnostics.MeterName)
        .CreateHistogram("mcp.ha.balancer.call.duration", "s",
            "Duration of calls at this balancer, from the first byte of the request to the last byte of the answer.", advice: DurationBuckets.Advice);

    /// <summary>A call begins.</summary>
    public long Begin() => time.GetTimestamp();

    /// <summary>The call has ended that began then.</summary>
    public void End(long begun)
    {
        var took = time.GetElapsedTime(begun);
        var second = Second();
        var slot = (int)(second % Seconds);
        var known = Volatile.Read(ref _second[slot]);
        if (known != second && Interlocked.CompareExchange(ref _second[slot], second, known) == known)
            Array.Clear(_counts, slot * Buckets, Buckets);
        Interlocked.Increment(ref _counts[(slot * Buckets) + BucketOf(took.Ticks / TimeSpan.TicksPerMicrosecond)]);
        if (_duration is { Enabled: true } duration)
            duration.Record(took.TotalSeconds);
    }

    /// <summary>The figures of the seconds that are complete.</summary>
    public CallFigures Take()
    {
        var now = Second();
        Span<long> sums = stackalloc long[Buckets];
        long count = 0, recent = 0;
        for (var slot = 0; slot < Seconds; slot++)
        {
            var age = now - Volatile.Read(ref _second[slot]);
            if (age is < 1 or > PercentileSeconds)
                continue;
            for (var bucket = 0; bucket < Buckets; bucket++)
            {
                var calls = Volatile.Read(ref _counts[(slot * Buckets) + bucket]);
                sums[bucket] += calls;
                count += calls;
                recent += age <= RateSeconds ? calls : 0;
            }
        }

        var seconds = Math.Clamp(now - 1, 1, RateSeconds);
        return new((double)recent / seconds, count, Percentile(sums, count, 0.5), Percentile(sums, count, 0.99));
    }

    /// <summary>Bucket of a duration in microseconds.</summary>
    internal static int BucketOf(long microseconds)
    {
        if (microseconds < 1 << SubBits)
            return (int)Math.Max(0, microseconds);
        var power = BitOperations.Log2((ulong)microseconds);
        return Math.Min(Buckets - 1, ((power - SubBits + 1) << SubBits) + (int)((microseconds >> (power - SubBits)) & ((1 << SubBits) - 1)));
    }

    /// <summary>The middle of a bucket, in microseconds.</summary>
    internal static double MiddleOf(int bucket)
    {
        if (bucket < 1 << SubBits)
            return bucket;
        var power = (bucket >> SubBits) + SubBits - 1;
        var width = Math.Pow(2, power - SubBits);
        return Math.Pow(2, power) + (((bucket & ((1 << SubBits) - 1)) + 0.5) * width);
    }

    private static TimeSpan Percentile(ReadOnlySpan<long> sums, long count, double share)
    {
        var wanted = (long)Math.Ceiling(count * share);
        for (var bucket = 0; bucket < sums.Length && count > 0; bucket++)
        {
            if ((wanted -= sums[bucket]) <= 0)
                return TimeSpan.FromMicroseconds(MiddleOf(bucket));
        }

        return TimeSpan.Zero;
    }

    // Seconds begin at 1: a slot that says 0 was never used.
    private long Second() => (long)time.GetElapsedTime(_started).TotalSeconds + 1;
}
