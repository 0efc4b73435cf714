using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>A fault from its beginning to the moment when the cluster is whole again.</summary>
internal sealed class Fault(FaultBegan began, TimeSpan ended)
{
    private readonly HashSet<string>? _affected = began.AffectedSessions is { } sessions ? [.. sessions] : null;

    public int Number => began.Number;

    public FaultKind Kind => began.Kind;

    public TimeSpan Begin => began.At;

    public TimeSpan End => ended;

    /// <summary>Whether it hits the process that serves a session, or may have.</summary>
    public bool Touches(string session) => _affected?.Contains(session) != false;

    /// <summary>Whether calls in flight begin anew by it. After SIGTERM they finish first.</summary>
    public bool RunsAgain => Kind is FaultKind.Kill or FaultKind.Pause or FaultKind.Cut;

    /// <summary>How many replicas in a row a call may lose by it, as far as that counts.</summary>
    public int Losses => !RunsAgain ? 0 : began.HitsAll ? 2 : 1;

    /// <summary>Whether it goes on at some time between two moments, its aftermath included.</summary>
    public bool Overlaps(TimeSpan from, TimeSpan to, TimeSpan aftermath) => Begin <= to && from <= End + aftermath;
}
