using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Streams;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Failures;

/// <summary>Loses the replica of a call in flight, again and again, in one of three ways.</summary>
internal sealed class Losses(SampleCluster cluster, int kills, Action<string> say)
{
    /// <summary>Idle sessions with a stream that the lost replica had besides the call, in <see cref="CrowdAsync"/>.</summary>
    public const int Crowd = 1_000;

    /// <summary>The process is killed: its connections are reset at once.</summary>
    public Task<FailureReport> KillAsync(CancellationToken cancellationToken) =>
        RunAsync("kill", "kill -9 of the replica of a call", kills, Signal.Kill, crowd: 0, cancellationToken);

    /// <summary>The same, while the replica also has many idle sessions with streams.</summary>
    public Task<FailureReport> CrowdAsync(CancellationToken cancellationToken) =>
        RunAsync("crowd", $"the same, with {Crowd:N0} idle streams at that replica", Math.Max(1, kills / 5), Signal.Kill, Crowd, cancellationToken);

    /// <summary>The process stands still: its connections stay open and silent, as when a host vanishes.</summary>
    public Task<FailureReport> VanishAsync(CancellationToken cancellationToken) =>
        RunAsync("vanish", "the replica of a call falls silent", Math.Max(1, kills / 2), Signal.Stop, crowd: 0, cancellationToken);

    private async Task<FailureReport> RunAsync(string name, string title, int losses, Signal signal, int crowd, CancellationToken cancellationToken)
    {
        // The first loss compiles what a take-over needs in both survivors, as losses before did in a cluster that is up for a while.
        List<double> silences = [];
        for (var loss = 0; loss <= losses; loss++)
        {
            var replica = cluster.Next();
            using var streams = new StreamFleet(cluster.Balancer.Endpoint);
            await streams.OpenSessionsAsync([replica], crowd, cancellationToken);
            if (await streams.OpenStreamsAsync(cancellationToken) is > 0 and var refused)
                throw new LabException($"The balancer refused {refused} of {crowd} streams. See the logs in .lab/bench/logs.");
            var silence = await CallInFlight.LoseAsync(cluster, replica, signal, cancellationToken);
            if (loss > 0)
                silences.Add(silence.TotalMilliseconds);
            await cluster.RemoveAsync(replica);
            await streams.EndSessionsAsync(cancellationToken);
            await cluster.FillAsync(cancellationToken);
            if (loss % 10 == 0 && loss > 0)
                say($"{name} {loss} of {losses}");
        }

        return new(name, title, silences);
    }
}
