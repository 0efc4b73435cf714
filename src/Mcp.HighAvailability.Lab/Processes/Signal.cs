using System.Runtime.InteropServices;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Signals that Lab sends, by the numbers that they have on Linux.</summary>
internal enum Signal
{
    /// <summary>SIGHUP: nginx reads its configuration again.</summary>
    Reload = 1,

    /// <summary>Ends the process at this instant.</summary>
    Kill = 9,

    /// <summary>Asks the process to finish what it does and to end.</summary>
    Terminate = 15,

    /// <summary>Lets a process that stands still go on.</summary>
    Continue = 18,

    /// <summary>Makes the process stand still where it is.</summary>
    Stop = 19,
}

internal static class Signals
{
    /// <summary>Sends a signal; <see langword="false"/> if there is no such process any more.</summary>
    public static bool Send(int processId, Signal signal)
    {
        // 0 and negative numbers mean process groups, Lab's own among them.
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        return Kill(processId, Number(signal)) == 0;
    }

    // Of those above, the only two on which systems disagree.
    private static int Number(Signal signal) => (signal, OperatingSystem.IsMacOS()) switch
    {
        (Signal.Continue, true) => 19,
        (Signal.Stop, true) => 17,
        _ => (int)signal,
    };

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
