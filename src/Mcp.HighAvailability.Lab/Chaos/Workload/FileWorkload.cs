namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>Tools of a user's own server, each as often as its weight says.</summary>
internal sealed class FileWorkload(IReadOnlyList<WorkloadTool> tools) : IWorkload
{
    private readonly double _sum = tools.Sum(tool => tool.Weight);

    public IReadOnlyList<string> Names { get; } = [.. tools.Where(tool => tool.Weight > 0).Select(tool => tool.Name).Distinct()];

    public bool KeepsState => false;

    public IEnumerable<PlannedCall> Opening(SessionContext session) => [];

    public IEnumerable<PlannedCall> Each(SessionContext session) => tools.Where(tool => tool.Weight > 0).Select(tool => tool.Plan(session));

    public PlannedCall Next(SessionContext session)
    {
        var dice = session.Random.NextDouble() * _sum;
        return (tools.FirstOrDefault(tool => (dice -= tool.Weight) < 0) ?? tools[0]).Plan(session);
    }

    // Which of them may be called without end is unknown.
    public PlannedCall? Watch(SessionContext session) => null;
}
