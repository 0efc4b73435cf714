namespace Mcp.HighAvailability.Tasks;

/// <summary>Record with which a task begins.</summary>
public sealed record NewTask
{
    /// <summary>Task id: 128 random bits or more, which no client can guess.</summary>
    public required string Id { get; init; }

    /// <summary>The replica that works on it.</summary>
    public required string Owner { get; init; }

    /// <summary>Key of the user who created it; empty: anonymous.</summary>
    public string User { get; init; } = "";

    /// <summary>Whether the rerun policy lets another replica run it again.</summary>
    public bool MayRunTwice { get; init; }

    /// <summary>The <c>tools/call</c> request, JSON.</summary>
    public ReadOnlyMemory<byte> Request { get; init; }

    /// <summary>Protected claims of the user, for a run without a request; empty: anonymous.</summary>
    public ReadOnlyMemory<byte> Identity { get; init; }

    /// <summary>The task's trace as <c>traceparent</c>; empty: not recorded.</summary>
    public string TraceParent { get; init; } = "";

    /// <summary>How long the task is kept after it was created or last renewed.</summary>
    public TimeSpan TimeToLive { get; init; }

    /// <summary>How often the client should ask.</summary>
    public TimeSpan PollInterval { get; init; }

    /// <summary>Names the HTTP exchange that created it, to recognise a repetition; empty: none.</summary>
    public string Exchange { get; init; } = "";
}

/// <summary>How many tasks may be kept, those that have ended included.</summary>
/// <param name="Total">By all users.</param>
/// <param name="PerUser">By each user who is signed in.</param>
public readonly record struct TaskQuota(int Total, int PerUser);

/// <summary>Outcome of a creation.</summary>
public abstract record TaskCreation
{
    private TaskCreation() { }

    /// <summary>The task is there.</summary>
    /// <param name="Task">As it was created.</param>
    public sealed record Created(TaskView Task) : TaskCreation;

    /// <summary>The same HTTP exchange has created a task before; nothing was created now.</summary>
    /// <param name="Task">As it is now.</param>
    public sealed record Repeated(TaskView Task) : TaskCreation;

    /// <summary>There are too many tasks.</summary>
    /// <param name="OfUser">Whether it is the user's own quota that is used up.</param>
    public sealed record TooMany(bool OfUser) : TaskCreation;
}

/// <summary>The parts of a task that change, and its user.</summary>
public sealed record TaskView
{
    /// <summary>Task id.</summary>
    public required string Id { get; init; }

    /// <summary>Status of the task.</summary>
    public required McpTaskStatus Status { get; init; }

    /// <summary>Status message for people; empty: none.</summary>
    public string Message { get; init; } = "";

    /// <summary>When it was created, by the clock of the store, to the millisecond.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it last changed, by the clock of the store, to the millisecond.</summary>
    public required DateTimeOffset Updated { get; init; }

    /// <summary>How long after its creation it is kept. Grows while the task works, and no more after it has ended.</summary>
    public required TimeSpan TimeToLive { get; init; }

    /// <summary>How often the client should ask.</summary>
    public TimeSpan PollInterval { get; init; }

    /// <summary>Key of the user; empty: anonymous, any caller who knows the id.</summary>
    public string User { get; init; } = "";

    /// <summary>The replica that works on it, or worked on it last.</summary>
    public required string Owner { get; init; }

    /// <summary>One larger with every change of the owner.</summary>
    public required long Epoch { get; init; }

    /// <summary>One larger with every change of the task.</summary>
    public required long Version { get; init; }

    /// <summary>Questions of the task to its client, by key in ordinal order. Empty when it has ended.</summary>
    public IReadOnlyList<TaskInput> Inputs { get; init; } = [];

    /// <summary>Result of a completed task, error of a failed one, JSON; otherwise empty.</summary>
    public ReadOnlyMemory<byte> Outcome { get; init; }

    /// <summary>Whether a client has listened to it before it ended: then changes are announced in the broadcast log.</summary>
    public bool IsListened { get; init; }
}

/// <summary>A question of a task to its client.</summary>
/// <param name="Key">Unique within the task.</param>
/// <param name="Request">Method and parameters, JSON.</param>
/// <param name="Answer">The client's answer, JSON; <see langword="null"/>: none yet.</param>
public sealed record TaskInput(string Key, ReadOnlyMemory<byte> Request, ReadOnlyMemory<byte>? Answer);

/// <summary>Data that a new owner needs to continue a task.</summary>
/// <param name="View">What can change.</param>
/// <param name="Task">What it began with.</param>
/// <param name="Losses">Owners that were lost with it.</param>
/// <param name="State">Checkpoints of the tool by key, JSON.</param>
public sealed record TaskSnapshot(TaskView View, NewTask Task, int Losses, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State);

/// <summary>Changes of an owner in one step.</summary>
public sealed record TaskChange
{
    /// <summary>The new status message; <see langword="null"/>: as it is.</summary>
    public string? Message { get; init; }

    /// <summary>New questions to the client: key, and method with parameters as JSON. A key that is known is ignored.</summary>
    public IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> Inputs { get; init; } = [];

    /// <summary>Changes of the tool's checkpoints, in order; <see langword="null"/> removes.</summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> State { get; init; } = [];

    /// <summary>Ends the task with this status; <see langword="null"/>: it goes on.</summary>
    public McpTaskStatus? End { get; init; }

    /// <summary>Result or error, JSON, of a task that ends.</summary>
    public ReadOnlyMemory<byte> Outcome { get; init; }

    /// <summary>Gives the task up, so that another replica takes it at once.</summary>
    public bool Release { get; init; }

    /// <summary>Whether it changes nothing, and only renews the time to live.</summary>
    public bool IsEmpty => Message is null && Inputs.Count == 0 && State.Count == 0 && End is null && !Release;
}

/// <summary>What came of a change.</summary>
/// <param name="Outcome">Whether it was applied.</param>
/// <param name="IsListened">Whether a client listens to the task, so that the change is to be announced. Only of a change that was applied.</param>
public readonly record struct TaskCommitted(TaskCommit Outcome, bool IsListened);

/// <summary>Outcome of a change.</summary>
public enum TaskCommit
{
    /// <summary>Applied.</summary>
    Committed,

    /// <summary>Another replica owns the task. Nothing was changed.</summary>
    Fenced,

    /// <summary>The task has ended. Nothing was changed.</summary>
    Ended,

    /// <summary>The store does not know the task: it has expired, or the store has lost it.</summary>
    Lost,
}
