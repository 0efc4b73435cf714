using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Subjects;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Measures one turn: the calls, and what they cost each process.</summary>
internal static class LoadMeter
{
    public static async Task<Turn> MeasureAsync(Subject subject, LoadPlan load, TimeSpan duration, CancellationToken cancellationToken)
    {
        var before = await Reading.TakeAsync(subject, cancellationToken);
        var result = await subject.RunAsync(load, duration, cancellationToken);
        var after = await Reading.TakeAsync(subject, cancellationToken);
        return new Turn
        {
            CallsPerSecond = result.CallsPerSecond,
            P50Milliseconds = result.Percentile(0.50),
            P99Milliseconds = result.Percentile(0.99),
            ServerMicrosecondsPerCall = result.PerCall((after.Server - before.Server).TotalMicroseconds),
            ProxyMicrosecondsPerCall = result.PerCall((after.Proxy - before.Proxy).TotalMicroseconds),
            RedisMicrosecondsPerCall = result.PerCall((after.Redis - before.Redis).TotalMicroseconds),
            StoreCommandsPerCall = result.PerCall(after.Commands - before.Commands),
            ServerBytesPerCall = result.PerCall(after.Allocated - before.Allocated),
            LoadGeneratorMicrosecondsPerCall = result.PerCall((after.Self - before.Self).TotalMicroseconds),
            OtherCores = Math.Max(0, (after.Machine - before.Machine - (after.Ours - before.Ours)) / result.Elapsed),
        };
    }

    private sealed record Reading(TimeSpan Server, TimeSpan Proxy, TimeSpan Redis, TimeSpan Self, TimeSpan Machine, long Allocated, long Commands)
    {
        public TimeSpan Ours => Server + Proxy + Redis + Self;

        public static async Task<Reading> TakeAsync(Subject subject, CancellationToken cancellationToken)
        {
            long allocated = 0;
            foreach (var server in subject.Servers)
                allocated += (await ServerMeter.ReadAsync(server, collect: false, cancellationToken)).Allocated;
            var commands = subject.Redis is { } redis ? await RedisStatistics.CountAsync(redis.Url.Port, cancellationToken) : 0;
            return new Reading(
                ProcessCpu.Of(subject.Servers.Select(server => server.Process.Id)),
                subject.Proxy is { } proxy ? ProcessCpu.Of([proxy.Process.Id]) : TimeSpan.Zero,
                subject.Redis is null ? TimeSpan.Zero : ProcessCpu.Of([subject.Redis.Process.Id]),
                ProcessCpu.OfSelf(),
                ProcessCpu.OfMachine(),
                allocated,
                commands);
        }
    }
}
