using System.Diagnostics;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>The connections to one subject. They stay open over all rounds.</summary>
internal sealed class EchoLoad : IDisposable
{
    private readonly List<EchoConnection> _connections = [];

    /// <summary>Opens connections, each with a session of its own if there are sessions.</summary>
    public static async Task<EchoLoad> OpenAsync(Uri endpoint, int connections, bool withSession, CancellationToken cancellationToken)
    {
        var load = new EchoLoad();
        try
        {
            for (var n = 0; n < connections; n++)
                load._connections.Add(await EchoConnection.OpenAsync(endpoint, withSession, cancellationToken));
            return load;
        }
        catch
        {
            load.Dispose();
            throw;
        }
    }

    /// <summary>Calls on all connections for a while.</summary>
    /// <exception cref="LabException">An answer was wrong: such a measurement says nothing.</exception>
    public async Task<LoadResult> RunAsync(string subject, TimeSpan duration, CancellationToken cancellationToken)
    {
        foreach (var connection in _connections)
            connection.Reset();

        var started = Stopwatch.GetTimestamp();
        var until = started + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        await Task.WhenAll(_connections.Select(connection => Task.Run(() => connection.RunAsync(until, cancellationToken), cancellationToken)));
        var elapsed = Stopwatch.GetElapsedTime(started);

        if (_connections.Find(connection => connection.Errors > 0) is { } wrong)
            throw new LabException($"{subject}: {_connections.Sum(connection => connection.Errors)} wrong answers to echo, the first: {wrong.FirstError}");
        var latencies = _connections.SelectMany(connection => connection.Latencies).ToArray();
        Array.Sort(latencies);
        return new LoadResult(latencies, elapsed);
    }

    public void Dispose() => _connections.ForEach(connection => connection.Dispose());
}

/// <summary>What one run has shown.</summary>
/// <param name="Latencies">Per call, sorted, in <see cref="Stopwatch"/> ticks.</param>
/// <param name="Elapsed">How long it took.</param>
internal sealed record LoadResult(long[] Latencies, TimeSpan Elapsed)
{
    public int Calls => Latencies.Length;

    public double CallsPerSecond => Calls / Elapsed.TotalSeconds;

    /// <summary>A percentile of the latencies, in milliseconds.</summary>
    public double Percentile(double share) => Figures.Percentile(Latencies, share) * 1000d / Stopwatch.Frequency;
}
