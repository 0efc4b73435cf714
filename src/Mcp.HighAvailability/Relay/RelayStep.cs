using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Relay;

/// <summary>Next action of a <see cref="RelayMachine"/>.</summary>
internal enum RelayAction
{
    /// <summary>Wait for <see cref="RelayStep.Delay"/>, ask the route for a target, then give it to <see cref="RelayMachine.Chosen"/>.</summary>
    Ask,

    /// <summary>Send the request to the target, as the client sent it.</summary>
    Send,

    /// <summary>Ask the target for what follows the cursor.</summary>
    Resume,

    /// <summary>Begin the client's response as an event stream, then read events.</summary>
    StartStream,

    /// <summary>Read events of the response.</summary>
    ReadEvents,

    /// <summary>Read the response to its end; the client gets nothing before.</summary>
    ReadWhole,

    /// <summary>Give the client the whole answer, with <see cref="RelayStep.Status"/>. The exchange is over.</summary>
    Answer,

    /// <summary>Write the whole answer into the open stream as its last event. The exchange is over.</summary>
    AnswerInStream,

    /// <summary>Answer with <see cref="RelayStep.Error"/>. The exchange is over.</summary>
    Fail,

    /// <summary>Answer that no replica serves the request now. The exchange is over.</summary>
    Refuse,

    /// <summary>End the stream so that its client resumes it elsewhere. The exchange is over.</summary>
    EndElsewhere,

    /// <summary>Break the client's connection: what it has is not everything. The exchange is over.</summary>
    Abort,

    /// <summary>Leave the request to this replica itself. The exchange is over.</summary>
    ServeHere,

    /// <summary>The exchange is over.</summary>
    Done,
}

/// <summary>One decision of a <see cref="RelayMachine"/>.</summary>
/// <param name="Action">What to do.</param>
internal readonly record struct RelayStep(RelayAction Action)
{
    /// <summary>The attempt that failed before; for <see cref="RelayAction.Ask"/>.</summary>
    public RelayFailure? Failure { get; init; }

    /// <summary>How long to wait first; for <see cref="RelayAction.Ask"/>.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>HTTP status; for <see cref="RelayAction.Answer"/>.</summary>
    public int Status { get; init; }

    /// <summary>The error; for <see cref="RelayAction.Fail"/>.</summary>
    public RelayError? Error { get; init; }

    /// <summary>No replica could serve the exchange in time; for metrics.</summary>
    public bool IsGivenUp { get; init; }

    /// <summary>No step follows this one.</summary>
    public bool IsLast => Action >= RelayAction.Answer;
}

/// <summary>Meaning of a response head for a relay.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="IsEventStream">Events follow.</param>
/// <param name="Owner">The session's owner, if the replica names it.</param>
/// <param name="SessionId">The session, if the replica names it.</param>
/// <param name="Cursor">Where the stream can be resumed before its first event; <see langword="null"/>: nowhere.</param>
/// <param name="IsTransient">A refusal that passes by itself.</param>
/// <param name="Begun">Replicas that may have begun to run the request; see <see cref="HaHeaders.Begun"/>.</param>
internal readonly record struct RelayHead(int Status, bool IsEventStream, string? Owner, string? SessionId, string? Cursor, bool IsTransient, string? Begun);

/// <summary>Treatment of an event.</summary>
/// <param name="Passes">The client gets it.</param>
/// <param name="NewSession">The session that it names, if none was known; see <see cref="LegacyEndpoint"/>.</param>
internal readonly record struct EventVerdict(bool Passes, string? NewSession = null);
