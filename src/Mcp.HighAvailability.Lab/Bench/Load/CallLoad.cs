using System.Diagnostics;
using System.Net.Sockets;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>The connections to one subject. They stay open over all rounds.</summary>
internal sealed class CallLoad : IDisposable
{
    private readonly List<CallConnection> _connections = [];

    /// <summary>Opens connections, each with a session of its own if there are sessions.</summary>
    public static async Task<CallLoad> OpenAsync(Uri endpoint, int connections, bool withSession, CancellationToken cancellationToken)
    {
        var load = new CallLoad();
        try
        {
            for (var n = 0; n < connections; n++)
                load._connections.Add(await CallConnection.OpenAsync(endpoint, withSession, cancellationToken));
            return load;
        }
        catch
        {
            load.Dispose();
            throw;
        }
    }

    /// <summary>Calls on all connections for a while.</summary>
    /// <exception cref="LabException">An answer was wrong or missing: such a measurement says nothing.</exception>
    public async Task<LoadResult> RunAsync(string subject, CallKind kind, TimeSpan duration, CancellationToken cancellationToken)
    {
        _connections.ForEach(connection => connection.Reset());
        var started = Stopwatch.GetTimestamp();
        try
        {
            await new LoadThread(_connections, kind, cancellationToken).RunAsync(started + (long)(duration.TotalSeconds * Stopwatch.Frequency));
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new LabException($"{subject}, {kind.Text()} calls: {e.Message}");
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        if (_connections.Find(connection => connection.Error is not null) is { } wrong)
            throw new LabException($"{subject}, {kind.Text()} calls: wrong answer. {wrong.Error}");
        var latencies = _connections.SelectMany(connection => connection.Latencies).ToArray();
        Array.Sort(latencies);
        return new LoadResult(latencies, elapsed);
    }

    public void Dispose() => _connections.ForEach(connection => connection.Dispose());
}

/// <summary>Figures of one run.</summary>
/// <param name="Latencies">Per call, sorted, in <see cref="Stopwatch"/> ticks.</param>
/// <param name="Elapsed">How long it took.</param>
internal sealed record LoadResult(long[] Latencies, TimeSpan Elapsed)
{
    public int Calls => Latencies.Length;

    public double CallsPerSecond => Calls / Elapsed.TotalSeconds;

    /// <summary>A percentile of the latencies, in milliseconds.</summary>
    public double Percentile(double share) => Figures.Percentile(Latencies, share) * 1000d / Stopwatch.Frequency;

    /// <summary>A processor time or count, per call.</summary>
    public double PerCall(double total) => Calls == 0 ? 0 : total / Calls;
}
