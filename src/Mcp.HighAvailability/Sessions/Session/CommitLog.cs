using System.Numerics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What happened to a commit.</summary>
internal enum CommitTrouble
{
    /// <summary>The store is away.</summary>
    Waits,

    /// <summary>The store has lost the session.</summary>
    Missing,

    /// <summary>Another replica owns the session.</summary>
    Fenced,
}

/// <summary>Logs what happened to the commits of a replica: one line for all its sessions, and each session at Debug. Thread-safe.</summary>
internal sealed partial class CommitLog
{
    private readonly ILogger _logger;
    private readonly LogGathering<CommitTrouble, Concerned> _gathering;

    public CommitLog(TimeProvider time, ILogger logger)
    {
        _logger = logger;
        _gathering = new(time, Write);
    }

    /// <summary>Notes a commit of a session.</summary>
    /// <param name="record">The session.</param>
    /// <param name="trouble">What happened.</param>
    /// <param name="reason">Why the store is away.</param>
    public void Add(SessionRecord record, CommitTrouble trouble, string reason = "")
    {
        switch (trouble)
        {
            case CommitTrouble.Waits:
                LogWaits(record.Id, reason);
                break;
            case CommitTrouble.Missing:
                LogMissing(record.Id);
                break;
            default:
                LogFenced(record.Id, record.Epoch);
                break;
        }

        _gathering.Add(trouble, new(1, reason));
    }

    private void Write(CommitTrouble trouble, Concerned sessions, TimeSpan within)
    {
        switch (trouble)
        {
            case CommitTrouble.Waits:
                LogAllWait(sessions.Reason, sessions.Count);
                break;
            case CommitTrouble.Missing:
                LogAllMissing(sessions.Count);
                break;
            default:
                LogAllFenced(sessions.Count);
                break;
        }
    }

    private readonly record struct Concerned(int Count, string Reason) : IAdditionOperators<Concerned, Concerned, Concerned>
    {
        public static Concerned operator +(Concerned left, Concerned right) => left with { Count = left.Count + right.Count };
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Writes wait for the store: {Reason} Sessions: {Count}.")]
    private partial void LogAllWait(string reason, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store has lost sessions of this replica. They are written back. Sessions: {Count}.")]
    private partial void LogAllMissing(int count);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Fenced: another replica owns sessions that this replica served. Their local copies end. Sessions: {Count}.")]
    private partial void LogAllFenced(int count);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Session {SessionId}: a write waits for the store. {Reason}")]
    private partial void LogWaits(string sessionId, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Session {SessionId} missing in the store. This replica writes it back.")]
    private partial void LogMissing(string sessionId);

    [LoggerMessage(
        Level = LogLevel.Debug,
        Message = "Session {SessionId} fenced: another replica owns it, and the store refused epoch {Epoch}. The local copy ends.")]
    private partial void LogFenced(string sessionId, long epoch);
}
