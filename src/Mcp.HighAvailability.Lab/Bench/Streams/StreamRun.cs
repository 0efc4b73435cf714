using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Failures;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Streams;

/// <summary>Many GET streams through one balancer: what they cost, how long broadcasts take, and what a kill of a replica does to them.</summary>
internal sealed class StreamRun(SampleCluster cluster, BenchOptions options, Action<string> say)
{
    private const int MeasuredBroadcasts = 10;
    private const int BroadcastsAfterKill = 5;

    // Files that this process and the balancer need besides the streams.
    private const int OtherFiles = 500;

    private const int MinIdleWindows = 3;
    private const int MaxIdleWindows = 8;

    // A balancer writes keep-alive comments every few seconds: with the default of one second a window holds one round of them.
    private readonly TimeSpan _idleWindow = options.Duration * 6;

    /// <summary>Checks that the processes may have so many files open.</summary>
    public static void CheckLimit(int streams)
    {
        if (ProcessCpu.MaxOpenFiles() is var limit && streams + OtherFiles > limit)
            throw new LabException($"{streams} streams need {streams + OtherFiles} open files, and the limit is {limit}. Raise it with 'ulimit -n " +
                $"{streams + OtherFiles}', or ask for fewer with --streams.");
    }

    public async Task<StreamReport> RunAsync(CancellationToken cancellationToken)
    {
        using var fleet = new StreamFleet(cluster.Balancer.Endpoint);
        await OpenAFewAsync(cancellationToken);
        var takeOversBefore = await Counters.TakeOversAsync(cluster, cancellationToken);
        var empty = await IdleAsync(cancellationToken);
        var emptyBytes = ProcessCpu.ResidentBytes(cluster.Balancer.Process.Id);

        say($"opening {options.Streams} streams");
        var failedBefore = await Counters.FailedAttemptsAsync(cluster, cancellationToken);
        await fleet.OpenSessionsAsync(cluster.Replicas, options.Streams, cancellationToken);
        var opening = Stopwatch.GetTimestamp();
        var refused = await fleet.OpenStreamsAsync(cancellationToken);
        var openSeconds = Stopwatch.GetElapsedTime(opening).TotalSeconds;

        var broadcasts = new Broadcasts(fleet);
        using var publisher = await RawSession.OpenAsync(cluster.Replicas[0].Endpoint, cancellationToken);
        await broadcasts.PublishAsync(publisher, cancellationToken);
        await broadcasts.ArrivedAsync(cancellationToken);
        if (refused == 0)
            broadcasts.Check();
        var idle = await IdleAsync(cancellationToken);
        var bytes = ProcessCpu.ResidentBytes(cluster.Balancer.Process.Id);

        say("publishing");
        var commands = await MeasureBroadcastsAsync(broadcasts, publisher, idle.CommandsPerSecond, cancellationToken);
        var delays = broadcasts.Delays(fleet.Listeners, from: 2);
        var falseTakeOvers = await Counters.TakeOversAsync(cluster, cancellationToken) - takeOversBefore;
        var failedAttempts = await Counters.FailedAttemptsAsync(cluster, cancellationToken) - failedBefore;

        say("killing a replica");
        var killed = cluster.Replicas[^1];
        var firstAfterKill = broadcasts.Count + 1;
        killed.Process.Send(Signal.Kill);
        await PublishAfterKillAsync(broadcasts, publisher, cancellationToken);
        await broadcasts.ArrivedAsync(cancellationToken);
        var ofKilled = fleet.Listeners.Where(listener => listener.Owner == killed).ToList();
        var silences = broadcasts.LongestDelays(ofKilled, firstAfterKill);
        var gaps = fleet.Listeners.Select(listener => Broadcasts.Gaps(listener.Arrivals, broadcasts.Count)).ToList();

        return new()
        {
            Streams = options.Streams,
            Refused = refused,
            OpenSeconds = openSeconds,
            FalseTakeOvers = falseTakeOvers,
            FailedAttempts = failedAttempts,
            BalancerBytesPerStream = (double)(bytes - emptyBytes) / options.Streams,
            EmptyCpuPercent = empty.CpuPercent,
            IdleCpuPercent = idle.CpuPercent,
            BroadcastP50Milliseconds = Figures.Percentile(delays, 0.50),
            BroadcastP99Milliseconds = Figures.Percentile(delays, 0.99),
            StoreCommandsPerBroadcast = commands,
            StreamsOfKilled = ofKilled.Count,
            SilenceP50Milliseconds = Figures.Percentile(silences, 0.50),
            SilenceP99Milliseconds = Figures.Percentile(silences, 0.99),
            SilenceMaxMilliseconds = Figures.Percentile(silences, 1),
            Lost = gaps.Sum(gap => gap.Lost),
            Doubled = gaps.Sum(gap => gap.Doubled),
        };
    }

    // The first streams bring caches, pools and compiled code, which are not the cost of a stream.
    private async Task OpenAFewAsync(CancellationToken cancellationToken)
    {
        using var few = new StreamFleet(cluster.Balancer.Endpoint);
        await few.OpenSessionsAsync(cluster.Replicas, 3 * StreamFleet.AtATime, cancellationToken);
        await few.OpenStreamsAsync(cancellationToken);
        await few.EndSessionsAsync(cancellationToken);
    }

    // The runtime compiles for a while after a start and after a load: the processes are idle when they use no less than before.
    private async Task<(double CpuPercent, double CommandsPerSecond)> IdleAsync(CancellationToken cancellationToken)
    {
        var lowest = await WindowAsync(cancellationToken);
        for (var n = 2; n <= MaxIdleWindows; n++)
        {
            var next = await WindowAsync(cancellationToken);
            var falls = next.CpuPercent < lowest.CpuPercent * 0.8;
            if (next.CpuPercent < lowest.CpuPercent)
                lowest = next;
            if (n >= MinIdleWindows && !falls)
                break;
        }

        return lowest;
    }

    private async Task<(double CpuPercent, double CommandsPerSecond)> WindowAsync(CancellationToken cancellationToken)
    {
        int[] all = [cluster.Balancer.Process.Id, cluster.Redis.Process.Id, .. cluster.Replicas.Select(replica => replica.Process.Id)];
        var (started, cpu) = (Stopwatch.GetTimestamp(), ProcessCpu.Of(all));
        var commands = await RedisStatistics.CountAsync(cluster.Redis.Url.Port, cancellationToken);
        await Task.Delay(_idleWindow, cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(started);
        commands = await RedisStatistics.CountAsync(cluster.Redis.Url.Port, cancellationToken) - commands;
        return ((ProcessCpu.Of(all) - cpu) / elapsed * 100, commands / elapsed.TotalSeconds);
    }

    private async Task<double> MeasureBroadcastsAsync(
        Broadcasts broadcasts, RawSession publisher, double idleCommandsPerSecond, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var before = await RedisStatistics.CountAsync(cluster.Redis.Url.Port, cancellationToken);
        for (var n = 0; n < MeasuredBroadcasts; n++)
        {
            await broadcasts.PublishAsync(publisher, cancellationToken);
            await broadcasts.ArrivedAsync(cancellationToken);
        }

        var commands = await RedisStatistics.CountAsync(cluster.Redis.Url.Port, cancellationToken) - before;
        return Math.Max(0, commands - idleCommandsPerSecond * Stopwatch.GetElapsedTime(started).TotalSeconds) / MeasuredBroadcasts;
    }

    // The first broadcast follows the kill at once, so its delay is the silence of a stream.
    private async Task PublishAfterKillAsync(Broadcasts broadcasts, RawSession publisher, CancellationToken cancellationToken)
    {
        var pause = TimeSpan.FromSeconds(Math.Max(0.2, options.Streams / 10_000d));
        for (var n = 0; n < BroadcastsAfterKill; n++)
        {
            await broadcasts.PublishAsync(publisher, cancellationToken);
            await Task.Delay(pause, cancellationToken);
        }
    }
}
