using System.Globalization;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Processor time, as Linux counts it in <c>/proc</c>.</summary>
internal static class ProcessCpu
{
    // USER_HZ, which is 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>User and system time of processes with all their threads.</summary>
    public static TimeSpan Of(IEnumerable<int> processIds) => processIds.Aggregate(TimeSpan.Zero, (sum, id) => sum + Of(id));

    /// <summary>Time that all processes of the machine have used, on all processors.</summary>
    public static TimeSpan OfMachine()
    {
        // cpu user nice system idle iowait irq softirq steal
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Ticks(fields[1]) + Ticks(fields[2]) + Ticks(fields[3]) + Ticks(fields[6]) + Ticks(fields[7]);
    }

    private static TimeSpan Of(int processId)
    {
        // pid (name) state …: the name may hold spaces and brackets; utime and stime are fields 14 and 15.
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return Ticks(fields[11]) + Ticks(fields[12]);
    }

    private static TimeSpan Ticks(string field) => TimeSpan.FromSeconds(long.Parse(field, CultureInfo.InvariantCulture) / TicksPerSecond);
}
