using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.IO.Enumeration;
using Mcp.HighAvailability.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Limits;

/// <summary>
/// Counts the file descriptors of this process and says what may still be opened. A process without any left dies: a new thread needs one, too.
/// </summary>
/// <remarks>
/// <para>
/// Three marks below the limit (<c>ulimit -n</c>): above the first new streams and sessions are refused, above the second every request, and at the third
/// no connection is opened or accepted until others have closed. What is left is for threads, the store and files.
/// </para>
/// <para>Connections of clients and to replicas are counted one by one; all other descriptors are counted now and then.</para>
/// </remarks>
internal sealed partial class Descriptors : IStartsAtZero
{
    private const string Folder = "/proc/self/fd";
    private static readonly TimeSpan MinCountInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly ILogger _logger;
    private readonly Func<int?> _count;
    private readonly Counter<long>? _refused;
    private int _connections;
    private int _others;
    private long _nextCount;
    private long _nextLog;

    /// <param name="logger">Told when requests are refused, at most every 10 seconds.</param>
    /// <param name="meters">Where the metrics go.</param>
    /// <param name="limit">Most descriptors; by default what the operating system says.</param>
    /// <param name="count">Counts all that are open; <see langword="null"/> when it cannot. By default the operating system is asked.</param>
    public Descriptors(ILogger<Descriptors> logger, IMeterFactory? meters = null, int? limit = null, Func<int?>? count = null)
    {
        (_logger, _count) = (logger, count ?? CountAll);
        Limit = limit ?? LimitOfProcess();
        var reserve = Math.Clamp(Limit / 8, Math.Min(48, Limit / 4), 512);
        (StreamMark, CallMark, ConnectionMark) = (Limit - reserve, Limit - (reserve / 2), Limit - (reserve / 4));
        var meter = meters?.Create(HighAvailabilityDiagnostics.MeterName);
        meter?.CreateObservableUpDownCounter("mcp.ha.descriptors.limit", () => Limit, "{descriptor}", "File descriptor limit of this process; 0 if unknown.");
        meter?.CreateObservableUpDownCounter("mcp.ha.descriptors.used", () => Used, "{descriptor}", "File descriptors open in this process.");
        _refused = meter?.CreateCounter<long>("mcp.ha.descriptors.refused", "{request}", "Requests refused because too few file descriptors are left.");
    }

    /// <summary>Most descriptors; 0 where that is not known, and nothing is refused.</summary>
    public int Limit { get; }

    /// <summary>From here on new streams and sessions are refused.</summary>
    public int StreamMark { get; }

    /// <summary>From here on every request is refused.</summary>
    public int CallMark { get; }

    /// <summary>From here on no connection is opened.</summary>
    public int ConnectionMark { get; }

    /// <summary>Descriptors that are open.</summary>
    public int Used
    {
        get
        {
            if (Limit == 0)
                return 0;
            var due = Volatile.Read(ref _nextCount);
            if (Stopwatch.GetTimestamp() >= due && Interlocked.CompareExchange(ref _nextCount, long.MaxValue, due) == due)
                CountOthers();
            return Volatile.Read(ref _connections) + Volatile.Read(ref _others);
        }
    }

    /// <summary>New streams and sessions have to be refused.</summary>
    public bool IsShortOfStreams => Limit > 0 && Used >= StreamMark;

    /// <summary>Every request has to be refused.</summary>
    public bool IsShortOfCalls => Limit > 0 && Used >= CallMark;

    /// <summary>Counts a connection that is about to be opened; <see langword="false"/>: it must not be.</summary>
    public bool TryOpen()
    {
        if (Limit > 0 && Used >= ConnectionMark)
            return false;
        Interlocked.Increment(ref _connections);
        return true;
    }

    /// <summary>A counted connection has closed.</summary>
    public void Closed() => Interlocked.Decrement(ref _connections);

    public void PublishZeros() => _refused?.Add(0);

    /// <summary>Counts and logs a refusal.</summary>
    public void Refused()
    {
        _refused?.Add(1);
        var due = Volatile.Read(ref _nextLog);
        var now = Stopwatch.GetTimestamp();
        if (now >= due && Interlocked.CompareExchange(ref _nextLog, now + (long)(LogInterval.TotalSeconds * Stopwatch.Frequency), due) == due)
            LogRefused(Used, Limit);
    }

    private void CountOthers()
    {
        var started = Stopwatch.GetTimestamp();
        var connections = Volatile.Read(ref _connections);

        // What cannot be counted for want of a descriptor is a full table.
        Volatile.Write(ref _others, Math.Max(0, (_count() ?? Limit) - connections));
        var took = Stopwatch.GetElapsedTime(started);
        var pause = 50 * took > MinCountInterval ? 50 * took : MinCountInterval;
        Volatile.Write(ref _nextCount, started + (long)(pause.TotalSeconds * Stopwatch.Frequency));
    }

    private static int? CountAll()
    {
        try
        {
            return new FileSystemEnumerable<bool>(Folder, static (ref FileSystemEntry _) => true).Count();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The runtime has raised the soft limit to the hard one. Elsewhere than on Linux the operating system does not say.
    private static int LimitOfProcess()
    {
        const string Line = "Max open files";
        const string Limits = "/proc/self/limits";
        if (!OperatingSystem.IsLinux() || !File.Exists(Limits) || !Directory.Exists(Folder))
            return 0;
        var line = File.ReadLines(Limits).FirstOrDefault(line => line.StartsWith(Line, StringComparison.Ordinal));
        var soft = line?[Line.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return int.TryParse(soft, CultureInfo.InvariantCulture, out var limit) ? limit : 0;
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Used} of {Limit} file descriptors are in use: new streams and sessions are refused, calls of open sessions go on. Raise the limit " +
            "(ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or add an instance.")]
    private partial void LogRefused(int used, int limit);
}
