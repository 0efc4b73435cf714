using System.Numerics;
using Mcp.HighAvailability.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Logs take-overs: a few lines for all that one replica's loss or drain causes, and each session at Debug. Thread-safe.</summary>
/// <remarks>Clients may come back over hours, and a session moves when its client does. So the lines after the first one are spaced out.</remarks>
internal sealed partial class TakeOverLog
{
    private readonly ILogger _logger;
    private readonly LogGathering<(string Owner, string Reason), TakenOver> _gathering;

    public TakeOverLog(TimeProvider time, ILogger logger)
    {
        _logger = logger;
        _gathering = new(time, Write, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(10));
    }

    /// <summary>Notes a take-over.</summary>
    public void Add(string sessionId, long epoch, string owner, string reason, TimeSpan took, int rerun, int refused)
    {
        LogOne(sessionId, Name(owner), reason, epoch, took.TotalMilliseconds, rerun, refused);
        _gathering.Add((owner, reason), new(1, took, rerun, refused));
    }

    private void Write((string Owner, string Reason) cause, TakenOver sum, TimeSpan within) =>
        LogMany(Name(cause.Owner), cause.Reason, sum.Count, within.TotalSeconds, sum.Longest.TotalMilliseconds, sum.Rerun, sum.Refused);

    private static string Name(string owner) => owner.Length > 0 ? owner : "no owner";

    private readonly record struct TakenOver(int Count, TimeSpan Longest, int Rerun, int Refused) : IAdditionOperators<TakenOver, TakenOver, TakenOver>
    {
        public static TakenOver operator +(TakenOver left, TakenOver right) => new(
            left.Count + right.Count, left.Longest > right.Longest ? left.Longest : right.Longest, left.Rerun + right.Rerun, left.Refused + right.Refused);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Took over from {Owner} ({Reason}). Sessions: {Count}, within {Seconds:0.0} s. Longest take-over: {Milliseconds:0} ms. Calls rerun: {Rerun}" +
            ", refused: {Refused}.")]
    private partial void LogMany(string owner, string reason, int count, double seconds, double milliseconds, int rerun, int refused);

    [LoggerMessage(
        Level = LogLevel.Debug,
        Message = "Session {SessionId} taken over from {Owner} ({Reason}). Epoch: {Epoch}. Duration: {Milliseconds:0.0} ms. Calls rerun: {Rerun}, refused: " +
            "{Refused}.")]
    private partial void LogOne(string sessionId, string owner, string reason, long epoch, double milliseconds, int rerun, int refused);
}
