using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Kinds of violations.</summary>
internal enum ViolationKind
{
    /// <summary>An error that is not promised.</summary>
    Error,

    /// <summary>A call that never ended, or not within its time-out.</summary>
    Hung,

    /// <summary>Something acknowledged or sent that is not there: a step, a note, an announcement, a delivery.</summary>
    Lost,

    /// <summary>Something that came or ran twice.</summary>
    Doubled,

    /// <summary>Something in the wrong order.</summary>
    OutOfOrder,

    /// <summary>Something that no call asked for: a wrong result, an unknown note.</summary>
    FromNowhere,

    /// <summary>Something of a call after its end.</summary>
    Late,

    /// <summary>A session that a server does not know any more.</summary>
    SessionLost,

    /// <summary>Too little happened to say anything.</summary>
    Vacuous,
}

/// <summary>One finding of the checker.</summary>
/// <param name="Around">The events around it that concern the same session, call or fault.</param>
internal sealed record Violation(ViolationKind Kind, TimeSpan At, string? Session, long? Call, string Text, IReadOnlyList<HistoryEvent> Around);
