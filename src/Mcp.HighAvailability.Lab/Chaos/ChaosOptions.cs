using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos;

/// <summary>Options of <c>chaos</c>.</summary>
internal sealed record ChaosOptions
{
    /// <summary>Replicas of the server.</summary>
    public required int Replicas { get; init; }

    /// <summary>Balancers, all of which every client may use.</summary>
    public required int Balancers { get; init; }

    /// <summary>Sessions of the C# client.</summary>
    public required int Sessions { get; init; }

    /// <summary>Further sessions, of the TypeScript client.</summary>
    public required int TypeScript { get; init; }

    /// <summary>Calls per second of all clients together, on average.</summary>
    public required int Rate { get; init; }

    /// <summary>How long faults are injected; <see langword="null"/>: until there were <see cref="Faults"/>.</summary>
    public required TimeSpan? Duration { get; init; }

    /// <summary>How many faults are injected; <see langword="null"/>: as many as fit into <see cref="Duration"/>.</summary>
    public required int? Faults { get; init; }

    /// <summary>Decides all choices.</summary>
    public required int Seed { get; init; }

    /// <summary>The kinds of fault to inject.</summary>
    public required IReadOnlyList<FaultKind> Kinds { get; init; }

    /// <summary>Time between the beginnings of two faults, on average, where nothing has to be waited for.</summary>
    public required TimeSpan Spacing { get; init; }

    /// <summary>Whether clients get at the replicas without a balancer of ours.</summary>
    public required bool Direct { get; init; }

    /// <summary>A server that runs already and is broken from outside; <see langword="null"/>: a cluster that this run starts.</summary>
    public required Uri? Server { get; init; }

    /// <summary>Project of the user's own server; <see langword="null"/>: the sample.</summary>
    public required string? Project { get; init; }

    /// <summary>File that lists the calls to make; <see langword="null"/>: the sample's tools.</summary>
    public required string? Workload { get; init; }

    /// <summary>The safeguard that is switched off; <see langword="null"/>: none.</summary>
    public required string? Mutation { get; init; }

    /// <summary>Where the report goes for machines; <see langword="null"/>: nowhere.</summary>
    public required string? JsonFile { get; init; }

    /// <summary>Where the report goes for people; <see langword="null"/>: nowhere.</summary>
    public required string? HtmlFile { get; init; }

    /// <summary>Whether to end when the process that started Lab ends: for tests, whose host may be killed.</summary>
    public required bool EndWithParent { get; init; }

    /// <summary>Folder of this run: logs, and what the cluster keeps on disk.</summary>
    public required string Folder { get; init; }
}
