using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>Something that a client or chaos itself has done or seen.</summary>
/// <param name="At">When, since the start of the run; monotonic, and never before the event that was added earlier.</param>
internal abstract record HistoryEvent(TimeSpan At);

/// <summary>An event of one session; sessions are named by their <c>Mcp-Session-Id</c>.</summary>
internal abstract record SessionEvent(TimeSpan At, string Session) : HistoryEvent(At);

/// <summary>A client has opened a session.</summary>
/// <param name="Client">Which client library.</param>
/// <param name="Revision">Negotiated revision of the protocol.</param>
internal sealed record SessionOpened(TimeSpan At, string Session, string Client, string Revision) : SessionEvent(At, Session);

/// <summary>A server answered 404 for a session that was not ended.</summary>
internal sealed record SessionLost(TimeSpan At, string Session, string Reason) : SessionEvent(At, Session);

/// <summary>
/// An HTTP request of the session was answered with an error status other than 404, or not at all. Clients hide some of these:
/// a stream that cannot be opened, say.
/// </summary>
/// <param name="Status">HTTP status; <see langword="null"/>: the connection was refused or broke.</param>
/// <param name="Repeated">Whether the request was sent again to another endpoint.</param>
internal sealed record HttpTrouble(TimeSpan At, string Session, string Method, int? Status, bool Repeated, string Reason) : SessionEvent(At, Session);

/// <summary>A client begins a call. Calls are numbered through the whole run.</summary>
/// <param name="Tool">Name of the tool, or the JSON-RPC method of a request that is no tool call.</param>
/// <param name="Expected">What a right answer to it is.</param>
internal sealed record CallBegun(TimeSpan At, string Session, long Call, string Tool, JsonObject Arguments, Expectation Expected) : SessionEvent(At, Session);

/// <summary>The client's user gives a call up, which the client tells the server.</summary>
internal sealed record CallCancelled(TimeSpan At, string Session, long Call) : SessionEvent(At, Session);

/// <summary>A progress notification has arrived.</summary>
internal sealed record ProgressReceived(TimeSpan At, string Session, long Call, double Progress, double? Total) : SessionEvent(At, Session);

/// <summary>A response has arrived in the client, which knows no call for it (<paramref name="Call"/> is null then) or hands it to its call.</summary>
internal sealed record AnswerReceived(TimeSpan At, string Session, long? Call) : SessionEvent(At, Session);

/// <summary>A call has ended for its caller.</summary>
internal sealed record CallEnded(TimeSpan At, string Session, long Call, CallOutcome Outcome) : SessionEvent(At, Session);

/// <summary>The server asks the client something (elicitation, sampling).</summary>
/// <param name="Method">JSON-RPC method.</param>
/// <param name="RequestId">JSON-RPC id of the question.</param>
/// <param name="Question">What identifies it by content: the text that its call gave.</param>
internal sealed record QuestionReceived(TimeSpan At, string Session, string Method, string RequestId, string Question) : SessionEvent(At, Session);

/// <summary>The client answers a question.</summary>
internal sealed record AnswerGiven(TimeSpan At, string Session, string RequestId, string Answer) : SessionEvent(At, Session);

/// <summary>A notification that belongs to no call has arrived.</summary>
/// <param name="Method"><c>notifications/message</c> or <c>notifications/resources/updated</c>.</param>
/// <param name="Text">The announcement, or the resource's URI.</param>
internal sealed record StreamReceived(TimeSpan At, string Session, string Method, string Text) : SessionEvent(At, Session);

/// <summary>State of a session at the end of the run.</summary>
internal sealed record FinalReading(TimeSpan At, string Session, IReadOnlyList<string> Notes, long Counter) : SessionEvent(At, Session);

/// <summary>A handle of a shared notebook and counter was given out; the counter stands at 1.</summary>
internal sealed record SharedOpened(TimeSpan At, string Handle) : HistoryEvent(At);

/// <summary>State of a shared notebook or counter at the end of the run.</summary>
internal sealed record SharedReading(TimeSpan At, string Handle, IReadOnlyList<string> Notes, long Counter) : HistoryEvent(At);

/// <summary>Chaos begins a fault. Its number is its own through the whole run.</summary>
/// <param name="Target">What it hits, for people.</param>
/// <param name="AffectedSessions">
/// The sessions whose owner it hits (<see cref="FaultKind.Balancer"/>: that may have a connection through it); <see langword="null"/>: any.
/// </param>
/// <param name="HitsAll">It hits all replicas at once.</param>
internal sealed record FaultBegan(
    TimeSpan At, int Number, FaultKind Kind, string Target, IReadOnlyList<string>? AffectedSessions, bool HitsAll = false) : HistoryEvent(At);

/// <summary>The fault is over and the cluster is whole again.</summary>
internal sealed record FaultEnded(TimeSpan At, int Number) : HistoryEvent(At);
