using System.Runtime.InteropServices;

namespace McpHa.Lab.Processes;

/// <summary>Signals that Lab sends, by their POSIX numbers.</summary>
internal enum Signal
{
    /// <summary>Ends the process at this instant.</summary>
    Kill = 9,

    /// <summary>Asks the process to finish what it does and to end.</summary>
    Terminate = 15,
}

internal static class Signals
{
    /// <summary>Sends a signal; <see langword="false"/> if there is no such process any more.</summary>
    public static bool Send(int processId, Signal signal)
    {
        // 0 and negative numbers mean process groups, Lab's own among them.
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(processId);
        return Kill(processId, (int)signal) == 0;
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int processId, int signal);
}
