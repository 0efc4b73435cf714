using System.Globalization;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>Lets a program that starts give way to those that run: here they share a machine, elsewhere each would have one.</summary>
/// <remarks>
/// By the priority of its <see cref="Autogroup"/>, which every child of <see cref="Guardian"/> has to itself. Where there are none, nothing happens:
/// a priority of processes could be lowered, but not raised again without special rights.
/// </remarks>
internal sealed class StartPriority
{
    // A third of the processor time that the others get: it must not stand still either.
    private const int Lower = 5;
    private const int Lowest = 19;
    private const int Attempts = 20;

    // A user may change so many in a second, and no more.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(110);

    private readonly string _process;
    private readonly int _before;

    private StartPriority(string process, int before) => (_process, _before) = (process, before);

    /// <summary>Lowers it; <see langword="null"/> where that cannot be done.</summary>
    /// <param name="processId">The process, which leads its session or has its leader for a parent.</param>
    public static StartPriority? Lowered(int processId)
    {
        var process = processId.ToString(CultureInfo.InvariantCulture);
        if (Autogroup.Priority(process) is not { } before)
            return null;
        try
        {
            Autogroup.Set(process, Math.Min(before + Lower, Lowest));
            return new(process, before);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended, or must not be changed: it starts as it would have.
            return null;
        }
    }

    /// <summary>Makes it what it was.</summary>
    /// <exception cref="IOException">It stays low, and so would every figure of this process.</exception>
    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Autogroup.Set(_process, _before);
                return;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return;
            }
            catch (IOException) when (attempt < Attempts)
            {
                await Task.Delay(Pause, cancellationToken);
            }
        }
    }
}
