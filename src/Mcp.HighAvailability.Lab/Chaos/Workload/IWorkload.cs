namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>Calls of the clients. Choices come from the session's own random numbers alone.</summary>
internal interface IWorkload
{
    /// <summary>Tools and methods that a run of some length calls; the checker wants to have seen each.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Whether sessions have notes and a counter to read at the end.</summary>
    bool KeepsState { get; }

    /// <summary>First calls of a session.</summary>
    IEnumerable<PlannedCall> Opening(SessionContext session);

    /// <summary>One call of each kind: what a short run has not come to is called at its end.</summary>
    IEnumerable<PlannedCall> Each(SessionContext session);

    /// <summary>Next call of a session.</summary>
    PlannedCall Next(SessionContext session);

    /// <summary>Call that a session repeats to watch for pauses; <see langword="null"/>: none.</summary>
    PlannedCall? Watch(SessionContext session);
}

/// <summary>A session as a workload sees it.</summary>
/// <param name="Number">Counts the sessions of the fleet.</param>
/// <param name="Session">Its id.</param>
/// <param name="Random">Its random numbers.</param>
/// <param name="Seed">Seed of the run.</param>
internal sealed record SessionContext(int Number, string Session, Random Random, int Seed)
{
    private int _marks;

    /// <summary>Notes that it has added.</summary>
    public int Notes { get; set; }

    /// <summary>How many marks it has given out.</summary>
    public int Marks => Volatile.Read(ref _marks);

    /// <summary>A text that no other call of the run has.</summary>
    public string Mark(string kind) => $"{kind}-{Number}-{Interlocked.Increment(ref _marks)}";

    public TimeSpan Between(double least, double most) => TimeSpan.FromSeconds(Math.Round(least + (Random.NextDouble() * (most - least)), 3));
}
