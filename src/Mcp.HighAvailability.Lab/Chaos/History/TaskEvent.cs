namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>An event of one task of revision 2026-07-28. Tasks are numbered through the whole run; most belong to no session.</summary>
internal abstract record TaskEvent(TimeSpan At, long Task) : HistoryEvent(At);

/// <summary>A client sends the call that is to become a task.</summary>
/// <param name="Expected">What is known beforehand of how it ends.</param>
internal sealed record TaskAsked(TimeSpan At, long Task, string Tool, TaskExpectation Expected) : TaskEvent(At, Task);

/// <summary>The answer with the task has arrived.</summary>
internal sealed record TaskCreated(TimeSpan At, long Task, string Id) : TaskEvent(At, Task);

/// <summary>The call was answered with an error, and there is no task.</summary>
/// <param name="Code">JSON-RPC error code.</param>
internal sealed record TaskRefused(TimeSpan At, long Task, int Code, string Reason) : TaskEvent(At, Task);

/// <summary>A client has seen a task.</summary>
/// <param name="Heard">By a notice; otherwise by <c>tasks/get</c>.</param>
/// <param name="Status">Its status, in the words of the protocol.</param>
/// <param name="Message">Its status message.</param>
/// <param name="Outcome">Text of the result, or code of the error, of one that has ended.</param>
/// <param name="Json">All of it.</param>
internal sealed record TaskSeen(TimeSpan At, long Task, bool Heard, string Status, string Message, string Outcome, string Json) : TaskEvent(At, Task)
{
    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => Status is "completed" or "failed" or "cancelled";
}

/// <summary>A server does not know a task, or answered otherwise with an error.</summary>
/// <param name="Code">JSON-RPC error code.</param>
internal sealed record TaskTrouble(TimeSpan At, long Task, string Method, int Code, string Reason) : TaskEvent(At, Task)
{
    /// <summary>JSON-RPC error code for a task that does not exist.</summary>
    public const int Unknown = -32602;
}

/// <summary>The client has answered a question of a task, and the answer was acknowledged.</summary>
/// <param name="Key">Key of the question.</param>
internal sealed record TaskAnswered(TimeSpan At, long Task, string Key) : TaskEvent(At, Task);

/// <summary>The client cancels a task.</summary>
internal sealed record TaskCancelling(TimeSpan At, long Task) : TaskEvent(At, Task);

/// <summary>The client has waited for too long.</summary>
/// <param name="For">For what.</param>
internal sealed record TaskGivenUp(TimeSpan At, long Task, string For) : TaskEvent(At, Task);

/// <summary>What is known beforehand of a task.</summary>
/// <param name="MayRunAgain">Whether its tool may run again: then "may have run" is an end only after several losses.</param>
/// <param name="Result">What the text of its result begins with.</param>
internal sealed record TaskExpectation(bool MayRunAgain, string Result)
{
    /// <summary>The mark that each run of it leaves in the delivery log, where there must be only one.</summary>
    public string? Parcel { get; init; }

    /// <summary>Whether its client listens to it.</summary>
    public bool Listens { get; init; }

    /// <summary>Whether its client cancels it.</summary>
    public bool Cancels { get; init; }
}
