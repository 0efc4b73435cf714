using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Streams;

/// <summary>Publishes numbered broadcasts at one replica and follows them on all streams.</summary>
internal sealed class Broadcasts(StreamFleet fleet)
{
    private static readonly TimeSpan ArrivalTimeout = TimeSpan.FromSeconds(30);

    // When the broadcast of each number was published, from 1 on.
    private readonly List<long> _published = [];

    public int Count => _published.Count;

    /// <summary>Publishes the next broadcast.</summary>
    public async Task PublishAsync(RawSession publisher, CancellationToken cancellationToken)
    {
        _published.Add(Stopwatch.GetTimestamp());
        await publisher.CallAsync($"{Count}", "announce", $$"""{"text":"{{StreamListener.Mark}}{{Count}}"}""", cancellationToken);
    }

    /// <summary>Waits until the last broadcast has reached all streams, or for so long that what is missing counts as lost.</summary>
    public async Task ArrivedAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (fleet.Listeners.Any(listener => listener.Last < Count) && Stopwatch.GetElapsedTime(started) < ArrivalTimeout)
            await Task.Delay(20, cancellationToken);
    }

    /// <summary>Fails if the streams do not get broadcasts at all: such a measurement says nothing.</summary>
    public void Check()
    {
        if (fleet.Listeners.Count(listener => listener.Last == 0) is > 0 and var deaf)
            throw new LabException($"{deaf} of {fleet.Listeners.Count} streams got no broadcast. See the logs in .lab/bench/logs.");
    }

    /// <summary>From publication to arrival, sorted, in milliseconds.</summary>
    public double[] Delays(IEnumerable<StreamListener> listeners, int from) =>
    [
        .. listeners.SelectMany(listener => listener.Arrivals).Where(arrival => arrival.Number >= from)
            .Select(arrival => Stopwatch.GetElapsedTime(_published[arrival.Number - 1], arrival.At).TotalMilliseconds).Order(),
    ];

    /// <summary>The longest of those delays of each stream, sorted. A stream without an arrival is left out: its events count as lost.</summary>
    public double[] LongestDelays(IEnumerable<StreamListener> listeners, int from) =>
        [.. listeners.Select(listener => Delays([listener], from)).Where(delays => delays.Length > 0).Select(delays => delays[^1]).Order()];

    /// <summary>Broadcasts that a stream did not get, and those that it got again or out of order.</summary>
    public static (int Lost, int Doubled) Gaps(IReadOnlyList<Arrival> arrivals, int count)
    {
        var distinct = arrivals.Select(arrival => arrival.Number).Distinct().Count();
        var outOfOrder = arrivals.Zip(arrivals.Skip(1), (one, next) => next.Number <= one.Number).Count(wrong => wrong);
        return (count - distinct, outOfOrder);
    }
}
