using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Counters of what happens to tasks in this replica.</summary>
internal sealed class TaskMetrics : IStartsAtZero
{
    private readonly Meter _meter;
    private readonly Counter<long> _created;
    private readonly Counter<long> _takenOver;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _abandoned;
    private long _mayHaveRun;

    public TaskMetrics(IMeterFactory meterFactory)
    {
        _meter = meterFactory.Create(HighAvailabilityDiagnostics.MeterName);
        _created = _meter.CreateCounter<long>("mcp.ha.tasks.created", "{task}", "Tasks created.");
        _takenOver = _meter.CreateCounter<long>("mcp.ha.tasks.taken_over", "{task}", "Tasks taken over from another replica.");
        _refused = _meter.CreateCounter<long>("mcp.ha.tasks.refused", "{call}", "Calls refused because too many tasks are kept.");
        _abandoned = _meter.CreateCounter<long>("mcp.ha.tasks.abandoned", "{task}", "Tasks ended with \"may have run\" after their replica was lost.");
    }

    /// <summary>Tasks that this replica ended with "may have run".</summary>
    public long MayHaveRun => Volatile.Read(ref _mayHaveRun);

    public void PublishZeros() => _abandoned.Add(0);

    /// <summary>Reports how many tasks run here.</summary>
    public void Observe(Func<int> running) =>
        _meter.CreateObservableUpDownCounter("mcp.ha.tasks", running, "{task}", "Tasks that this replica works on.");

    public void Created() => _created.Add(1);

    public void TakenOver() => _takenOver.Add(1);

    public void Refused() => _refused.Add(1);

    public void Abandoned()
    {
        _abandoned.Add(1);
        Interlocked.Increment(ref _mayHaveRun);
    }
}
