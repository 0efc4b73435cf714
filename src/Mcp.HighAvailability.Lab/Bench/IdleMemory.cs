using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Managed memory of sessions that do nothing, without and with an open GET stream.</summary>
internal static class IdleMemory
{
    // What the first sessions bring with them is not theirs: caches, pools, compiled code.
    private const int First = 100;
    private const int Wires = 16;

    public static async Task<MemoryReport> MeasureAsync(BenchOptions options, ServerKind kind, CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        var redis = kind == ServerKind.Ha ? await processes.StartRedisAsync(cancellationToken) : null;
        var server = await processes.StartServerAsync(kind, redis, "Durable", cancellationToken);

        await OpenAsync(server.Endpoint, First, cancellationToken);
        var before = await ServerMeter.ReadAsync(server, collect: true, cancellationToken);
        var sessions = await OpenAsync(server.Endpoint, options.Sessions, cancellationToken);
        var idle = await ServerMeter.ReadAsync(server, collect: true, cancellationToken);

        List<RawSession> streams = [];
        try
        {
            foreach (var session in sessions)
            {
                var stream = await session.AgainAsync(cancellationToken);
                streams.Add(stream);
                await stream.Wire.SendAsync(stream.Get(), cancellationToken);
                await stream.Wire.ReadHeadAsync(wantSession: false, cancellationToken);
            }

            var streaming = await ServerMeter.ReadAsync(server, collect: true, cancellationToken);
            return new MemoryReport(
                options.Sessions,
                (double)(idle.Heap - before.Heap) / options.Sessions,
                (double)(streaming.Heap - before.Heap) / options.Sessions);
        }
        finally
        {
            streams.ForEach(stream => stream.Dispose());
        }
    }

    private static async Task<List<RawSession>> OpenAsync(Uri endpoint, int count, CancellationToken cancellationToken)
    {
        var opened = await Task.WhenAll(Enumerable.Range(0, Wires).Select(async n =>
        {
            List<RawSession> sessions = [];
            using var wire = await HttpWire.ConnectAsync(endpoint, cancellationToken);
            for (var i = n; i < count; i += Wires)
            {
                var session = await RawSession.OpenAsync(endpoint, wire, cancellationToken);
                await session.CallAsync("1", "echo", """{"text":"hello"}""", cancellationToken);
                sessions.Add(session);
            }

            return sessions;
        }));
        return [.. opened.SelectMany(sessions => sessions)];
    }
}
