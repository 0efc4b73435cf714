using System.Diagnostics;
using System.Globalization;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Report;

namespace Mcp.HighAvailability.Lab.Chaos;

/// <summary>
/// Checks the history while the run goes on, so that an early violation is reported early. The check at the end decides.
/// </summary>
/// <param name="history">What happens.</param>
/// <param name="deliveries">Marks of the runs of <c>deliver</c>.</param>
/// <param name="toCheck">What there is to check.</param>
/// <param name="expected">Whether something has to be found: then the run ends with it, and it is looked for early and often.</param>
/// <param name="say">Tells people.</param>
internal sealed class FirstFinding(HistoryLog history, Func<IReadOnlyList<string>> deliveries, CheckOptions toCheck, bool expected, Action<string> say)
{
    // Longer than a call may take, and than what Redis held up takes to arrive. What is expected may be taken for found too early: the end will tell.
    private readonly TimeSpan _settled = TimeSpan.FromSeconds(expected ? 5 : 90);
    private readonly TimeSpan _interval = TimeSpan.FromSeconds(expected ? 2 : 60);

    // The clients share this process: looking may take a small part of its time.
    private const int Share = 30;

    private volatile bool _isEnough;

    /// <summary>Whether what was expected is there, and the run has no more to show.</summary>
    public bool IsEnough => _isEnough;

    /// <summary>Says the first finding, once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (var pause = _interval; ; )
            {
                await Task.Delay(pause, cancellationToken);
                var began = Stopwatch.GetTimestamp();

                // In this order: what was acknowledged has left its mark before.
                var events = history.Snapshot();
                if (Checker.FirstSoFar(events, deliveries(), toCheck, _settled) is { } found)
                {
                    say(string.Create(CultureInfo.InvariantCulture, $"VIOLATION so far: {found.Kind} at {found.At.TotalSeconds:0.000} s: {found.Text}"));
                    foreach (var happened in found.Around)
                        say($"  {EventText.Of(happened)}");
                    say(expected ? "That was to be found, so the run ends." : "The run goes on; Ctrl-C ends it with a report.");
                    _isEnough = expected;
                    return;
                }

                var took = Share * Stopwatch.GetElapsedTime(began);
                pause = took > _interval ? took : _interval;
            }
        }
        catch (OperationCanceledException)
        {
            // The check at the end says it all.
        }
    }
}
