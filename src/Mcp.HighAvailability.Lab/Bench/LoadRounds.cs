using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>The rounds of load: in each, every subject has its turn, one after the other, so that noise hits all alike.</summary>
internal sealed class LoadRounds(BenchOptions options, Action<string> say)
{
    private static readonly int[] Connections = [64, 1];

    public async Task<List<SubjectReport>> RunAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        List<Subject> subjects = [];
        try
        {
            foreach (var key in keys)
            {
                subjects.Add(await Subject.StartAsync(key, options.Other, processes, cancellationToken));
                foreach (var connections in Connections)
                    await subjects[^1].OpenAsync(connections, cancellationToken);
            }

            say("warming up");
            foreach (var subject in subjects)
            {
                await WarmUpAsync(subject, cancellationToken);
            }

            var turns = subjects.ToDictionary(subject => subject, _ => new Dictionary<int, List<Turn>>());
            for (var round = 1; round <= options.Rounds; round++)
            {
                say($"round {round} of {options.Rounds}");
                foreach (var connections in Connections)
                {
                    foreach (var subject in subjects)
                    {
                        if (!turns[subject].TryGetValue(connections, out var list))
                            turns[subject][connections] = list = [];
                        list.Add(await MeasureAsync(subject, connections, cancellationToken));
                    }
                }
            }

            return [.. subjects.Select(subject => new SubjectReport(
                subject.Key, subject.Title, Connections.ToDictionary(n => n, n => new LoadReport(turns[subject][n]))))];
        }
        finally
        {
            subjects.ForEach(subject => subject.Dispose());
        }
    }

    // Until the runtime has compiled the hot path for good, which depends on calls more than on time.
    private async Task WarmUpAsync(Subject subject, CancellationToken cancellationToken)
    {
        var calls = 0;
        for (var turn = 0; turn < 5 && calls < 40_000; turn++)
            calls += (await subject.Loads[Connections[0]].RunAsync(subject.Key, options.Duration, cancellationToken)).Calls;
        await subject.Loads[1].RunAsync(subject.Key, options.Duration / 4, cancellationToken);
    }

    private async Task<Turn> MeasureAsync(Subject subject, int connections, CancellationToken cancellationToken)
    {
        var before = await Reading.TakeAsync(subject, cancellationToken);
        var result = await subject.Loads[connections].RunAsync(subject.Key, options.Duration, cancellationToken);
        var after = await Reading.TakeAsync(subject, cancellationToken);
        return new Turn
        {
            CallsPerSecond = result.CallsPerSecond,
            P50Milliseconds = result.Percentile(0.50),
            P99Milliseconds = result.Percentile(0.99),
            ServerMicrosecondsPerCall = PerCall(after.Server - before.Server, result),
            ProxyMicrosecondsPerCall = PerCall(after.Proxy - before.Proxy, result),
            RedisMicrosecondsPerCall = PerCall(after.Redis - before.Redis, result),
            ScriptsPerCall = result.Calls == 0 ? 0 : (double)(after.Scripts - before.Scripts) / result.Calls,
            ServerBytesPerCall = result.Calls == 0 ? 0 : (double)(after.Allocated - before.Allocated) / result.Calls,
            LoadGeneratorMicrosecondsPerCall = PerCall(after.Self - before.Self, result),
            OtherCores = Math.Max(0, (after.Machine - before.Machine - (after.Ours - before.Ours)) / result.Elapsed),
        };
    }

    private static double PerCall(TimeSpan time, LoadResult result) => result.Calls == 0 ? 0 : time.TotalMicroseconds / result.Calls;

    /// <summary>Meters before and after a turn.</summary>
    private sealed record Reading(TimeSpan Server, TimeSpan Proxy, TimeSpan Redis, TimeSpan Self, TimeSpan Machine, long Allocated, long Scripts)
    {
        public TimeSpan Ours => Server + Proxy + Redis + Self;

        public static async Task<Reading> TakeAsync(Subject subject, CancellationToken cancellationToken)
        {
            long allocated = 0;
            foreach (var server in subject.Servers)
                allocated += (await ServerMeter.ReadAsync(server, collect: false, cancellationToken)).Allocated;
            return new Reading(
                ProcessCpu.Of(subject.Servers.Select(server => server.Process.Id)),
                subject.Proxy is { } proxy ? ProcessCpu.Of([proxy.Process.Id]) : TimeSpan.Zero,
                subject.Redis is { } redis ? ProcessCpu.Of([redis.Process.Id]) : TimeSpan.Zero,
                ProcessCpu.Of([Environment.ProcessId]),
                ProcessCpu.OfMachine(),
                allocated,
                subject.Redis is null ? 0 : (await RedisStatistics.ReadAsync(subject.Redis.Url.Port, cancellationToken)).GetValueOrDefault("evalsha"));
        }
    }
}
