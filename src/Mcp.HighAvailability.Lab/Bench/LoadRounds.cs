using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Subjects;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>The rounds of load: in each, every load of every subject has its turn, so that noise of the machine hits all alike.</summary>
internal sealed class LoadRounds(BenchOptions options, Action<string> say)
{
    // The runtime compiles the hot path for good after a number of calls in each process, not after a time.
    private const int WarmUpCalls = 15_000;
    private static readonly TimeSpan MaxWarmUp = TimeSpan.FromSeconds(20);

    public async Task<List<SubjectReport>> RunAsync(IReadOnlyList<SubjectPlan> plans, CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        List<Subject> subjects = [];
        try
        {
            say($"starting {string.Join(", ", plans.Select(plan => plan.Key))}");
            var starting = new SubjectProcesses(processes, options.Other, cancellationToken);
            foreach (var plan in plans)
            {
                var subject = await plan.StartAsync(starting, plan);
                subjects.Add(subject);
                await subject.OpenAsync(cancellationToken);
            }

            say("warming up");
            foreach (var subject in subjects)
                await WarmUpAsync(subject, cancellationToken);

            // One after the other, so that the subjects of a ratio are measured within seconds of each other.
            var turns = subjects.ToDictionary(subject => subject, subject => subject.Plan.Loads.ToDictionary(load => load, _ => new List<Turn>()));
            var loads = subjects.SelectMany(subject => subject.Plan.Loads).Distinct().ToList();
            for (var round = 1; round <= options.Rounds; round++)
            {
                say($"round {round} of {options.Rounds}");
                foreach (var load in loads)
                {
                    foreach (var subject in subjects.Where(subject => subject.Plan.Loads.Contains(load)))
                        turns[subject][load].Add(await LoadMeter.MeasureAsync(subject, load, options.Duration, cancellationToken));
                }
            }

            return [.. subjects.Select(subject => new SubjectReport(
                subject.Plan.Key, subject.Plan.Title, [.. subject.Plan.Loads.Select(load =>
                    new LoadReport(load.Kind, load.Connections, turns[subject][load]))]))];
        }
        finally
        {
            subjects.ForEach(subject => subject.Dispose());
        }
    }

    private async Task WarmUpAsync(Subject subject, CancellationToken cancellationToken)
    {
        foreach (var load in subject.Plan.Loads)
        {
            var wanted = subject.Servers.Count * (load.Connections == 1 ? WarmUpCalls / 10 : WarmUpCalls);
            var started = Stopwatch.GetTimestamp();
            for (var calls = 0; calls < wanted && Stopwatch.GetElapsedTime(started) < MaxWarmUp;)
                calls += (await subject.RunAsync(load, options.Duration / 2, cancellationToken)).Calls;
        }
    }
}
