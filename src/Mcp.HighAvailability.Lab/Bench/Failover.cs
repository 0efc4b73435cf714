using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Kills the owner of a session in the middle of a call, again and again, and measures how long its client hears nothing.</summary>
internal sealed class Failover(BenchOptions options, Action<string> say)
{
    private const int Replicas = 3;
    private const int Steps = 40;
    private const int IntervalMs = 10;

    public async Task<FailoverReport> RunAsync(CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        var redis = await processes.StartRedisAsync(cancellationToken);
        var balancer = await processes.StartBalancerAsync(redis, cancellationToken);
        Dictionary<int, Running> replicas = [];
        async Task AddAsync()
        {
            var replica = await processes.StartSampleAsync(redis, cancellationToken);
            replicas.Add(replica.Process.Id, replica);
            // It serves as any replica does that has been up for a while: the first call of a new process compiles it.
            using var session = await RawSession.OpenAsync(replica.Endpoint, cancellationToken);
            for (var n = 0; n < 50; n++)
                await session.CallAsync($"{n}", "echo", """{"text":"hello"}""", cancellationToken);
        }

        for (var n = 0; n < Replicas; n++)
            await AddAsync();

        List<double> pauses = [];
        for (var kill = 1; kill <= options.Kills; kill++)
        {
            var (owner, pause) = await KillAsync(balancer.Endpoint, replicas, cancellationToken);
            pauses.Add(pause);
            replicas.Remove(owner);
            await AddAsync();
            if (kill % 10 == 0)
                say($"kill {kill} of {options.Kills}");
        }

        return new FailoverReport(pauses);
    }

    // The tool starts over in the new owner, so its own intervals up to the first step that is new to the client are part of the pause.
    private static async Task<(int Owner, double Milliseconds)> KillAsync(Uri endpoint, Dictionary<int, Running> replicas, CancellationToken cancellationToken)
    {
        using var session = await RawSession.OpenAsync(endpoint, cancellationToken);
        var place = await session.CallAsync("where", "where_am_i", "{}", cancellationToken);
        var owner = (int?)place["structuredContent"]?["processId"] ?? throw new LabException($"where_am_i answered {place.ToJsonString()}");

        var seconds = (Steps * IntervalMs / 1000d).ToString(CultureInfo.InvariantCulture);
        var call = RawSession.ToolCall("count", "countdown", $$"""{"seconds":{{seconds}},"intervalMs":{{IntervalMs}}}""");
        await session.Wire.SendAsync(session.Post(call), cancellationToken);

        long killed = 0;
        List<long> arrivals = [];
        var step = 0;
        string? result = null;
        await foreach (var message in session.ReadAsync(cancellationToken))
        {
            if ((string?)message["method"] == "notifications/progress")
            {
                if (killed != 0)
                    arrivals.Add(Stopwatch.GetTimestamp());
                if ((int)message["params"]!["progress"]! != ++step)
                    throw new LabException($"countdown: after step {step - 1} came {message.ToJsonString()}");
                if (killed == 0)
                {
                    killed = Stopwatch.GetTimestamp();
                    replicas[owner].Process.Send(Signal.Kill);
                }
            }
            else if ((string?)message["id"] == "count")
            {
                result = (string?)message["result"]?["content"]?[0]?["text"] ?? message.ToJsonString();
            }
        }

        return step == Steps && result == "liftoff"
            ? (owner, LongestSilence(killed, arrivals).TotalMilliseconds)
            : throw new LabException($"countdown broke off at step {step} of {Steps} with {result ?? "nothing"}.");
    }

    // What was on its way at the kill still arrives, at once: the pause is the longest silence, whenever it ends.
    private static TimeSpan LongestSilence(long killed, List<long> arrivals)
    {
        var longest = TimeSpan.Zero;
        var last = killed;
        foreach (var arrival in arrivals)
        {
            var silence = Stopwatch.GetElapsedTime(last, arrival);
            if (silence > longest)
                longest = silence;
            last = arrival;
        }

        return longest;
    }
}
