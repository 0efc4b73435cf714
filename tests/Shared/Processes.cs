using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace McpHa.Tests;

/// <summary>Signals, and which processes are there.</summary>
public static class Processes
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

    // When the processes were started that were told to end: ids are used again. They may take their time, and serve until then.
    private static readonly ConcurrentDictionary<int, string> Ending = new();

    public static int SigStop => OperatingSystem.IsMacOS() ? 17 : 19;

    public static int SigCont => OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>Sends a signal; a process that is gone already is left alone. One that is told to stop has stopped on return, with all of its threads.</summary>
    public static void Send(int processId, int signal)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        if (signal is SigKill or SigTerm)
            Ending[processId] = Started(processId);
        _ = Kill(processId, signal);

        // The signal reaches one thread; until that one has its turn on a processor, the others go on and may answer another request.
        if (signal == SigStop && OperatingSystem.IsLinux() && !SpinWait.SpinUntil(() => HasStopped(processId), TimeSpan.FromSeconds(10)))
            throw new TimeoutException($"Process {processId} was told to stop and still runs.");
    }

    /// <summary>Whether it runs, and no test has told it to end: one that a test may lean on.</summary>
    public static bool IsUp(int processId) => IsAlive(processId) && (!Ending.TryGetValue(processId, out var started) || started != Started(processId));

    /// <summary>Whether it runs. One that has ended but whose parent has not taken notice does not.</summary>
    public static bool IsAlive(int processId)
    {
        if (Kill(processId, 0) != 0)
            return false;
        if (!OperatingSystem.IsLinux())
            return true;

        return Stat(processId) is { } stat && stat[0] is not ("Z" or "X");
    }

    private static bool HasStopped(int processId)
    {
        try
        {
            return Directory.EnumerateDirectories($"/proc/{processId}/task").All(thread => Stat(Path.Combine(thread, "stat")) is not { } stat || stat[0] is "T" or "t" or "Z" or "X");
        }
        catch (IOException)
        {
            return true;
        }
    }

    // In clock ticks since the system was.
    private static string Started(int processId) => OperatingSystem.IsLinux() && Stat(processId) is { } stat ? stat[19] : "";

    // What follows the process's name, which may hold spaces and brackets itself: state, parent, …
    private static string[]? Stat(int processId) => Stat($"/proc/{processId}/stat");

    private static string[]? Stat(string file)
    {
        try
        {
            var stat = File.ReadAllText(file);
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
