using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Processes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>
/// Handles of notebooks and counters that many sessions use. A client without a session mints them; when Redis has lost its data and
/// a handle is unknown, another takes its place.
/// </summary>
internal sealed class SharedState(HistoryLog history, Func<HttpClient> connect, Uri endpoint) : IDisposable
{
    private const string WithoutSessions = "2026-07-28";
    private readonly SemaphoreSlim _minting = new(1, 1);
    private volatile SharedHandle[] _handles = [];

    /// <summary>Handles in use now.</summary>
    public IReadOnlyList<SharedHandle> Handles => _handles;

    public SharedHandle Pick(Random random) => _handles[random.Next(_handles.Length)];

    public async Task OpenAsync(int count, CancellationToken cancellationToken)
    {
        try
        {
            List<SharedHandle> handles = [];
            while (handles.Count < count)
                handles.Add(await MintAsync(cancellationToken));
            _handles = [.. handles];
        }
        catch (McpException e)
        {
            throw new LabException($"The server has not the tools of the sample ({e.Message}): list its own tools in a file, and name that with --workload.");
        }
    }

    /// <summary>Puts another handle in the place of one that is unknown.</summary>
    public async Task ReplaceAsync(SharedHandle unknown, CancellationToken cancellationToken)
    {
        await _minting.WaitAsync(cancellationToken);
        try
        {
            var index = Array.IndexOf(_handles, unknown);
            if (index < 0)
                return;
            var minted = await MintAsync(cancellationToken);
            _handles = [.. _handles.Select(handle => handle == unknown ? minted : handle)];
        }
        finally
        {
            _minting.Release();
        }
    }

    public void Dispose() => _minting.Dispose();

    private async Task<SharedHandle> MintAsync(CancellationToken cancellationToken)
    {
        using var http = connect();
        var transport = new HttpClientTransport(
            new() { Endpoint = endpoint, TransportMode = HttpTransportMode.StreamableHttp }, http, ownsHttpClient: false);
        await using var client = await McpClient.CreateAsync(transport, new() { ProtocolVersion = WithoutSessions }, cancellationToken: cancellationToken);
        var counted = await client.CallToolAsync(new CallToolRequestParams { Name = "counter_increment" }, cancellationToken);
        var id = counted.StructuredContent?.GetProperty("handle").GetString()
            ?? throw new InvalidDataException("counter_increment gave no handle to a client without a session.");
        history.Add(at => new SharedOpened(at, id));
        return new SharedHandle(id);
    }
}

/// <summary>A handle that several sessions use.</summary>
internal sealed class SharedHandle(string id)
{
    private int _notes;

    public string Id => id;

    /// <summary>Whether there is room for a further note.</summary>
    public bool TakesNote(int most) => Interlocked.Increment(ref _notes) <= most;
}
