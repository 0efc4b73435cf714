using ModelContextProtocol.Client;

namespace McpHa.Tests;

/// <summary>Three replicas, a balancer and a Redis as processes of their own.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
#if (!noAuth)
    private const string Resource = "https://mcp.example.com/mcp";

    private readonly TokenIssuer _issuer = new();
#endif
    private LabCluster? _cluster;

    /// <summary>The running cluster. Skips the test where none can run.</summary>
    public LabCluster Cluster
    {
        get
        {
            Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
            return _cluster!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (LabCluster.Unavailable is not null)
            return;
#if (noAuth)
        _cluster = await LabCluster.StartAsync();
#else
        _cluster = await LabCluster.StartAsync(new()
        {
            Environment = new Dictionary<string, string?> { ["Bearer__Enabled"] = "true", ["Bearer__Authority"] = _issuer.Address, ["Bearer__Resource"] = Resource },
        });
#endif
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
#if (!noAuth)
        _issuer.Dispose();
#endif
    }

    /// <summary>Connects the SDK's client to the balancer, in a session of its own.</summary>
    public Task<McpClient> ConnectAsync() => McpClient.CreateAsync(
        new HttpClientTransport(new()
        {
            Endpoint = Cluster.Endpoint,
            TransportMode = HttpTransportMode.StreamableHttp,
#if (!noAuth)
            AdditionalHeaders = new Dictionary<string, string> { ["Authorization"] = $"Bearer {_issuer.Issue("ada", Resource)}" },
#endif
        }),
        new() { ProtocolVersion = "2025-11-25" });
}
