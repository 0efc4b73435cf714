using System.Text;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>What the store has accepted: the truth against which everything is checked that a client sees.</summary>
internal sealed class Ledger
{
    private readonly Dictionary<long, (string Stream, string Payload)> _entries = [];
    private readonly HashSet<string> _payloads = [];
    private long _epoch = 1;

    public List<string> Violations { get; } = [];

    public void TakenOver(long epoch)
    {
        lock (_entries)
            _epoch = Math.Max(_epoch, epoch);
    }

    public void Committed(SessionCommit commit)
    {
        lock (_entries)
        {
            // A repetition of what was applied before the take-over changes nothing, and that is all that an old epoch may do.
            foreach (var entry in commit.Append)
            {
                var written = (entry.Stream, Payload: Encoding.UTF8.GetString(entry.Payload.Span));
                if (_entries.TryGetValue(entry.Position, out var before))
                {
                    if (before != written)
                        Violations.Add($"Position {entry.Position} was given twice: to {before} and to {written}.");
                    continue;
                }

                if (commit.Epoch < _epoch)
                    Violations.Add($"The journal took {written} of epoch {commit.Epoch} in epoch {_epoch}.");
                _entries[entry.Position] = written;
                _payloads.Add(written.Payload);
            }
        }
    }

    /// <summary>Whether an event that a client got was accepted before.</summary>
    public bool Holds(string stream, long position, string payload)
    {
        lock (_entries)
            return _entries.TryGetValue(position, out var entry) && entry == (stream, payload);
    }

    public bool Holds(string payload)
    {
        lock (_entries)
            return _payloads.Contains(payload);
    }
}
