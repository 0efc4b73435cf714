using System.Diagnostics;
using System.Globalization;
using McpHa.Lab.Chaos.Check;
using McpHa.Lab.Chaos.History;
using McpHa.Lab.Chaos.Report;

namespace McpHa.Lab.Chaos;

/// <summary>Looks at the history while the run goes on, so that nobody waits an hour for what was wrong in the first minute. The verdict is that of the end.</summary>
internal sealed class FirstFinding(HistoryLog history, Func<IReadOnlyList<string>> deliveries, CheckOptions toCheck, Action<string> say)
{
    // Longer than a call may take, and than what Redis held up takes to arrive.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    // The clients share this process: looking may take a small part of its time.
    private const int Share = 30;

    /// <summary>Says the first finding, once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (var pause = Interval; ; )
            {
                await Task.Delay(pause, cancellationToken);
                var began = Stopwatch.GetTimestamp();

                // In this order: what was acknowledged has left its mark before.
                var events = history.Snapshot();
                if (Checker.FirstSoFar(events, deliveries(), toCheck, Settled) is { } found)
                {
                    say(string.Create(CultureInfo.InvariantCulture, $"VIOLATION so far: {found.Kind} at {found.At.TotalSeconds:0.000} s: {found.Text}"));
                    foreach (var happened in found.Around)
                        say($"  {EventText.Of(happened)}");
                    say("The run goes on; Ctrl-C ends it with a report.");
                    return;
                }

                var took = Share * Stopwatch.GetElapsedTime(began);
                pause = took > Interval ? took : Interval;
            }
        }
        catch (OperationCanceledException)
        {
            // The check at the end says it all.
        }
    }
}
