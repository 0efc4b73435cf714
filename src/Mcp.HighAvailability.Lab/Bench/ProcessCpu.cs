using System.Globalization;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Processor time and memory of processes, as Linux counts them in <c>/proc</c>.</summary>
internal static class ProcessCpu
{
    // USER_HZ, which is 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>User and system time of this process with all its threads.</summary>
    public static TimeSpan OfSelf() => Of(Environment.ProcessId);

    /// <summary>User and system time of processes with all their threads and child processes.</summary>
    public static TimeSpan Of(IEnumerable<int> processIds) =>
        processIds.SelectMany(id => Children(id).Prepend(id)).Aggregate(TimeSpan.Zero, (sum, id) => sum + Of(id));

    /// <summary>Time that all processes of the machine have used, on all processors.</summary>
    public static TimeSpan OfMachine()
    {
        // cpu user nice system idle iowait irq softirq steal
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Ticks(fields[1]) + Ticks(fields[2]) + Ticks(fields[3]) + Ticks(fields[6]) + Ticks(fields[7]);
    }

    /// <summary>Resident memory of a process, in bytes.</summary>
    public static long ResidentBytes(int processId)
    {
        var line = File.ReadLines($"/proc/{processId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>How many files this process may have open.</summary>
    public static long MaxOpenFiles()
    {
        var line = File.ReadLines("/proc/self/limits").First(line => line.StartsWith("Max open files", StringComparison.Ordinal));
        return long.TryParse(line["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture, out var limit)
            ? limit : long.MaxValue;
    }

    private static TimeSpan Of(int processId)
    {
        // pid (name) state …: the name may hold spaces and brackets; utime and stime are fields 14 and 15.
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return Ticks(fields[11]) + Ticks(fields[12]);
    }

    // nginx works in child processes.
    private static IEnumerable<int> Children(int processId)
    {
        var file = $"/proc/{processId}/task/{processId}/children";
        return File.Exists(file)
            ? File.ReadAllText(file).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(id => int.Parse(id, CultureInfo.InvariantCulture))
            : [];
    }

    private static TimeSpan Ticks(string field) => TimeSpan.FromSeconds(long.Parse(field, CultureInfo.InvariantCulture) / TicksPerSecond);
}
