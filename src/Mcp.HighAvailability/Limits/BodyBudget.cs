using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Limits;

/// <summary>
/// Counts the bytes of request bodies that this process holds, from their arrival to the end of their requests, and refuses more than the limit.
/// </summary>
internal sealed class BodyBudget : IStartsAtZero
{
    private const long MaxDefault = 1024L * 1024 * 1024;

    private readonly Counter<long>? _refused;
    private long _held;

    /// <param name="limit">Bytes of all bodies together; <see langword="null"/>: see <see cref="DefaultLimit"/>.</param>
    /// <param name="largest">Largest body that is allowed: one of them always fits.</param>
    /// <param name="setting">The setting to name when a body is refused.</param>
    /// <param name="meters">Where the metrics go.</param>
    public BodyBudget(long? limit, long largest, string setting, IMeterFactory? meters = null)
    {
        Limit = Math.Max(limit ?? DefaultLimit, largest);
        Setting = setting;
        var meter = meters?.Create(HighAvailabilityDiagnostics.MeterName);
        meter?.CreateObservableUpDownCounter("mcp.ha.bodies.size", () => Held, "By", "Request body bytes held by this process.");
        meter?.CreateObservableUpDownCounter("mcp.ha.bodies.limit", () => Limit, "By", "Limit of request body bytes held by this process.");
        _refused = meter?.CreateCounter<long>("mcp.ha.bodies.refused", "{request}", "Requests refused because the limit of request body bytes was reached.");
    }

    /// <summary>A quarter of the memory that this process may use (container and heap limits count), at most 1 GiB.</summary>
    public static long DefaultLimit => Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4, MaxDefault);

    /// <summary>Most bytes.</summary>
    public long Limit { get; }

    /// <summary>The setting of <see cref="Limit"/>.</summary>
    public string Setting { get; }

    /// <summary>Bytes that are held now.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>Counts bytes that have arrived; <see langword="false"/>: they do not fit, and the body is refused.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= Limit)
            return true;
        Release(bytes);
        _refused?.Add(1);
        return false;
    }

    public void PublishZeros() => _refused?.Add(0);

    /// <summary>Gives back what <see cref="TryTake"/> has counted.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _held, -bytes);
}
