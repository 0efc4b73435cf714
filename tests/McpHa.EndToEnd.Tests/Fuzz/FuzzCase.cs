using System.Text;

namespace McpHa.Tests.Fuzz;

/// <summary>Bytes for a connection, and how they are sent.</summary>
/// <param name="Kind">What is wrong with them.</param>
/// <param name="Wire">All bytes.</param>
/// <param name="Complete">Whether an answer is due; otherwise the sending side of the connection is closed behind them.</param>
/// <param name="Responses">How many answers, when complete.</param>
/// <param name="Piece">Sent in pieces of so many bytes; 0: at once.</param>
internal sealed record FuzzCase(string Kind, byte[] Wire, bool Complete = true, int Responses = 1, int Piece = 0)
{
    public override string ToString() => $"{Kind}: {Encoding.Latin1.GetString(Wire, 0, Math.Min(Wire.Length, 600))}";
}

/// <summary>What cases are about: sessions that are theirs to abuse, and one that is not theirs.</summary>
/// <param name="Sessions">Open sessions.</param>
/// <param name="Address">Where an open session of HTTP+SSE is posted to.</param>
/// <param name="ForeignEventIds">Ids of events of a session that must not be disturbed.</param>
internal sealed record FuzzTarget(IReadOnlyList<string> Sessions, string Address, IReadOnlyList<string> ForeignEventIds);
