using System.Diagnostics;
using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Failures;

/// <summary>A call with progress whose replica is lost in the middle. It measures how long the client hears nothing.</summary>
internal static class CallInFlight
{
    private const int Steps = 40;
    private const int IntervalMs = 10;

    /// <summary>Opens a session at a replica, calls through the balancer, and loses the replica at the first step.</summary>
    /// <returns>The longest silence from the loss on. The new owner starts the tool over, so its own intervals up to the first new step are part of
    /// it.</returns>
    /// <exception cref="LabException">A step or the result was missing, or came twice.</exception>
    public static async Task<TimeSpan> LoseAsync(SampleCluster cluster, Running replica, Signal signal, CancellationToken cancellationToken)
    {
        using var opened = await RawSession.OpenAsync(replica.Endpoint, cancellationToken);
        using var session = await opened.AtAsync(cluster.Balancer.Endpoint, cancellationToken);
        var place = await session.CallAsync("where", "where_am_i", "{}", cancellationToken);
        if ((int?)place["structuredContent"]?["processId"] != replica.Process.Id)
            throw new LabException($"The session is not at the replica that opened it: where_am_i answered {place.ToJsonString()}");

        var seconds = (Steps * IntervalMs / 1000d).ToString(CultureInfo.InvariantCulture);
        var call = RawSession.ToolCall("count", "countdown", $$"""{"seconds":{{seconds}},"intervalMs":{{IntervalMs}}}""");
        await session.Wire.SendAsync(session.Post(call), cancellationToken);

        long lost = 0;
        List<long> arrivals = [];
        var step = 0;
        string? result = null;
        await foreach (var message in session.ReadAsync(cancellationToken))
        {
            if (lost != 0)
                arrivals.Add(Stopwatch.GetTimestamp());
            if ((string?)message["method"] == "notifications/progress")
            {
                if ((int)message["params"]!["progress"]! != ++step)
                    throw new LabException($"countdown: after step {step - 1} came {message.ToJsonString()}");
                if (lost == 0)
                {
                    lost = Stopwatch.GetTimestamp();
                    replica.Process.Send(signal);
                }
            }
            else if ((string?)message["id"] == "count")
            {
                result = (string?)message["result"]?["content"]?[0]?["text"] ?? message.ToJsonString();
            }
        }

        return step == Steps && result == "liftoff"
            ? LongestSilence(lost, arrivals)
            : throw new LabException($"countdown broke off at step {step} of {Steps} with {result ?? "nothing"}.");
    }

    // Events that were on their way at the loss still arrive at once: the pause is the longest silence, whenever it ends.
    private static TimeSpan LongestSilence(long lost, List<long> arrivals) =>
        arrivals.Prepend(lost).Zip(arrivals, (from, to) => Stopwatch.GetElapsedTime(from, to)).Max();
}
