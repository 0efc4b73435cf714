using System.Collections.Concurrent;
using System.Diagnostics;

namespace McpHa.Tests.Diagnostics;

/// <summary>Everything that is traced in this process, as long as this lives. Other tests must not run meanwhile.</summary>
internal sealed class Spans : IDisposable
{
    private readonly ConcurrentQueue<Activity> _ended = new();
    private readonly ActivityListener _listener;

    public Spans(ActivitySamplingResult sampling = ActivitySamplingResult.AllDataAndRecorded)
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Mcp.HighAvailability" or "Microsoft.AspNetCore" or "Experimental.ModelContextProtocol",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampling,
            ActivityStopped = _ended.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public IReadOnlyCollection<Activity> All => _ended;

    /// <summary>Spans of the library that name a session, but for those of its requests.</summary>
    public IReadOnlyList<Activity> Of(string sessionId) =>
        [.. _ended.Where(span => span.Source.Name == "Mcp.HighAvailability" && (string?)span.GetTagItem("mcp.session.id") == sessionId)];

    /// <summary>Waits for a span.</summary>
    public async Task<Activity> FindAsync(Func<Activity, bool> wanted, string what)
    {
        Activity? found = null;
        await Wait.UntilAsync(() => (found = _ended.FirstOrDefault(wanted)) is not null, $"{what}; there are {string.Join(", ", _ended.Select(span => span.OperationName))}");
        return found!;
    }

    public void Dispose() => _listener.Dispose();
}

/// <summary>Tests that listen to what the whole process traces: one after the other, with nothing beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TracedAlone
{
    public const string Name = "traced alone";
}
