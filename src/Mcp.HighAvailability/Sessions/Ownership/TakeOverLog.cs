using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Logs take-overs: one line for all that one replica's loss or drain causes, and each session at Debug.</summary>
/// <remarks>A line is written when no take-over of its kind came for a second, and every ten seconds while they come. Thread-safe.</remarks>
internal sealed partial class TakeOverLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Owner, string Reason), Summary> _open = [];

    /// <summary>Notes a take-over.</summary>
    public void Add(string sessionId, long epoch, string owner, string reason, TimeSpan took, int rerun, int refused)
    {
        LogOne(sessionId, owner, epoch, reason, took.TotalMilliseconds, rerun, refused);
        lock (_gate)
        {
            if (!_open.TryGetValue((owner, reason), out var summary))
            {
                _open.Add((owner, reason), summary = new(time.GetTimestamp()));
                _ = WriteLaterAsync(owner, reason, summary);
            }

            summary.Count++;
            summary.Rerun += rerun;
            summary.Refused += refused;
            summary.Last = time.GetTimestamp();
            summary.Longest = took > summary.Longest ? took : summary.Longest;
        }
    }

    private async Task WriteLaterAsync(string owner, string reason, Summary summary)
    {
        do
            await Task.Delay(Quiet, time).ConfigureAwait(false);
        while (!TryClose(owner, reason, summary));
        var (from, milliseconds) = (owner.Length > 0 ? owner : "no owner", summary.Longest.TotalMilliseconds);
        LogMany(from, reason, summary.Count, time.GetElapsedTime(summary.First, summary.Last).TotalSeconds, milliseconds, summary.Rerun, summary.Refused);
    }

    private bool TryClose(string owner, string reason, Summary summary)
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(summary.Last) < Quiet && time.GetElapsedTime(summary.First) < MaxWait)
                return false;
            _open.Remove((owner, reason));
            return true;
        }
    }

    private sealed class Summary(long first)
    {
        public long First { get; } = first;

        public long Last { get; set; } = first;

        public int Count { get; set; }

        public int Rerun { get; set; }

        public int Refused { get; set; }

        public TimeSpan Longest { get; set; }
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Took over from {Owner}, {Reason}. Sessions: {Count}, within {Seconds:0.0} s. Longest take-over: {Milliseconds:0} ms. Calls rerun: " +
            "{Rerun}, refused: {Refused}.")]
    private partial void LogMany(string owner, string reason, int count, double seconds, double milliseconds, int rerun, int refused);

    [LoggerMessage(Level = LogLevel.Debug,
        Message = "Session {SessionId} taken over from {Owner}, epoch {Epoch}, {Reason}, in {Milliseconds:0.0} ms. Calls rerun: {Rerun}, refused: {Refused}.")]
    private partial void LogOne(string sessionId, string owner, long epoch, string reason, double milliseconds, int rerun, int refused);
}
