using System.Globalization;
using System.Text.RegularExpressions;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>The group of processes that shares processor time with the others as one (Linux): everything that was started in one session. Where there are
/// such groups, the priority of a process counts within its own only.</summary>
internal static partial class Autogroup
{
    /// <summary>Priority of a process's group, from -20 (most time) to 19; <see langword="null"/> where there are no groups, or no such process.</summary>
    /// <param name="process">Process id, or <c>self</c>.</param>
    public static int? Priority(string process)
    {
        try
        {
            return int.TryParse(Nice().Match(File.ReadAllText(PathOf(process))).Groups[1].Value, CultureInfo.InvariantCulture, out var priority) ? priority
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Sets it.</summary>
    /// <exception cref="IOException">The process has ended, or a user has changed too many within a second.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be changed.</exception>
    public static void Set(string process, int priority)
    {
        using var stream = new FileStream(PathOf(process), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        stream.Write(System.Text.Encoding.ASCII.GetBytes(priority.ToString(CultureInfo.InvariantCulture)));
    }

    private static string PathOf(string process) => $"/proc/{process}/autogroup";

    [GeneratedRegex(@"nice (-?\d+)")]
    private static partial Regex Nice();
}
