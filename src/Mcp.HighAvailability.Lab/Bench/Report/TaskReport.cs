namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Tasks on one replica: medians of the rounds.</summary>
internal sealed record TaskReport
{
    /// <summary>Clients, each with one task at a time.</summary>
    public required int Clients { get; init; }

    /// <summary>A task from its call until a poll has shown its result, each followed by the next.</summary>
    public required TaskFigures Whole { get; init; }

    /// <summary><c>tasks/get</c> of a task that works.</summary>
    public required TaskFigures Poll { get; init; }
}

/// <summary>Figures of one thing that clients do.</summary>
internal sealed record TaskFigures
{
    public required double PerSecond { get; init; }

    public required double P50Milliseconds { get; init; }

    public required double P99Milliseconds { get; init; }

    /// <summary>Requests of one.</summary>
    public required double Requests { get; init; }

    /// <summary>Processor time of the replica for one.</summary>
    public required double ServerMicroseconds { get; init; }

    public required double RedisMicroseconds { get; init; }

    /// <summary>Commands that Redis has run, those inside scripts included.</summary>
    public required double StoreCommands { get; init; }

    /// <summary>Processors that other programs kept busy meanwhile.</summary>
    public required double OtherCores { get; init; }

    public static TaskFigures MedianOf(IReadOnlyList<TaskFigures> rounds) => new()
    {
        PerSecond = Figures.Median(rounds.Select(round => round.PerSecond)),
        P50Milliseconds = Figures.Median(rounds.Select(round => round.P50Milliseconds)),
        P99Milliseconds = Figures.Median(rounds.Select(round => round.P99Milliseconds)),
        Requests = Figures.Median(rounds.Select(round => round.Requests)),
        ServerMicroseconds = Figures.Median(rounds.Select(round => round.ServerMicroseconds)),
        RedisMicroseconds = Figures.Median(rounds.Select(round => round.RedisMicroseconds)),
        StoreCommands = Figures.Median(rounds.Select(round => round.StoreCommands)),
        OtherCores = Figures.Median(rounds.Select(round => round.OtherCores)),
    };
}
