namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>The clients of a run.</summary>
/// <param name="Sessions">Sessions of the C# client.</param>
/// <param name="TypeScript">Further sessions, of the TypeScript client.</param>
/// <param name="Rate">Calls per second of all together, on average; what watches for pauses comes on top.</param>
/// <param name="Seed">Decides all choices: tools, arguments, think times.</param>
internal sealed record FleetOptions(int Sessions, int TypeScript, int Rate, int Seed)
{
    /// <summary>How long a client waits between two calls, on average.</summary>
    public TimeSpan ThinkTime => TimeSpan.FromSeconds(Math.Max(0.05, (double)(Sessions + TypeScript) / Rate));

    /// <summary>When a call counts as hung. Longer than requests are held while an owner or Redis is away.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>File of a workload for a user's own tools; <see langword="null"/>: the sample's tools.</summary>
    public string? WorkloadFile { get; init; }

    /// <summary>Whether clients call the sample's tools as tasks, too: only where Lab has started the sample.</summary>
    public bool HasTasks => HasDeliveryLog && WorkloadFile is null;

    /// <summary>Whether the delivery log of the servers can be read: Lab has started them.</summary>
    public bool HasDeliveryLog { get; init; } = true;
}
