using Mcp.HighAvailability.Lab.Bench.Load;

namespace Mcp.HighAvailability.Lab.Bench.Subjects;

/// <summary>A set-up that answers calls, with all processes that take part in it. Subjects may share processes.</summary>
internal sealed class Subject(SubjectPlan plan, IReadOnlyList<Running> servers, Running? redis = null, Running? proxy = null) : IDisposable
{
    private readonly Dictionary<int, CallLoad> _loads = [];

    public SubjectPlan Plan => plan;

    public IReadOnlyList<Running> Servers => servers;

    public Running? Redis => redis;

    public Running? Proxy => proxy;

    /// <summary>Opens the sessions and connections of all loads. They stay open over all rounds.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        foreach (var connections in plan.Loads.Select(load => load.Connections).Distinct())
            _loads[connections] = await CallLoad.OpenAsync((proxy ?? servers[0]).Endpoint, connections, plan.HasSessions, cancellationToken);
    }

    public Task<LoadResult> RunAsync(LoadPlan load, TimeSpan duration, CancellationToken cancellationToken) =>
        _loads[load.Connections].RunAsync(plan.Key, load.Kind, duration, cancellationToken);

    public void Dispose()
    {
        foreach (var load in _loads.Values)
            load.Dispose();
    }
}
