using System.Runtime.InteropServices;

namespace McpHa.Tests;

/// <summary>Signals, and whether a process is alive.</summary>
public static class Processes
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

    public static int SigStop => OperatingSystem.IsMacOS() ? 17 : 19;

    public static int SigCont => OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>Sends a signal; a process that is gone already is left alone.</summary>
    public static void Send(int processId, int signal)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        _ = Kill(processId, signal);
    }

    /// <summary>Whether it runs. One that has ended but whose parent has not taken notice does not.</summary>
    public static bool IsAlive(int processId)
    {
        if (Kill(processId, 0) != 0)
            return false;
        if (!OperatingSystem.IsLinux())
            return true;

        try
        {
            // pid (name) state …; the name may hold spaces and brackets.
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
