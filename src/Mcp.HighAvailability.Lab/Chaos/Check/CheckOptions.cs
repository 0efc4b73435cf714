namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Facts about the run that the checker needs.</summary>
/// <param name="CallTimeout">When a call counts as hung.</param>
/// <param name="Direct">Whether clients had no balancer of ours: then a connection that breaks before its first byte is a promised error.</param>
/// <param name="Tools">The tools and methods that must have been called at least once.</param>
internal sealed record CheckOptions(TimeSpan CallTimeout, bool Direct, IReadOnlyList<string> Tools)
{
    /// <summary>Whether every session has notes and a counter that were read at the end.</summary>
    public bool FinalReadings { get; init; } = true;

    /// <summary>Whether tasks were called, each kind at least once.</summary>
    public bool HasTasks { get; init; }

    /// <summary>Whether there is a delivery log.</summary>
    public bool HasDeliveryLog { get; init; } = true;
}
