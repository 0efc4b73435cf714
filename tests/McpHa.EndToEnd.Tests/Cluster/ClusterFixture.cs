namespace McpHa.Tests.Cluster;

/// <summary>The cluster that all scenarios share: four replicas that come back when killed, two balancers, a Redis.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private LabCluster? _cluster;

    /// <summary>The cluster; skips the test where there can be none.</summary>
    public LabCluster Cluster
    {
        get
        {
            Skip.If(LabCluster.Unavailable is not null, LabCluster.Unavailable);
            return _cluster!;
        }
    }

    private string DeliveryLog { get; } = Path.GetTempFileName();

    public async Task InitializeAsync()
    {
        if (LabCluster.Unavailable is null)
        {
            _cluster = await LabCluster.StartAsync(new()
            {
                Replicas = 4,
                Balancers = 2,
                Environment = new Dictionary<string, string?> { ["Server__DeliveryLog"] = DeliveryLog },
            });
        }
    }

    public async Task DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        File.Delete(DeliveryLog);
    }

    /// <summary>How often <c>deliver</c> has really run in a session.</summary>
    public int Deliveries(string sessionId)
    {
        using var log = new StreamReader(new FileStream(DeliveryLog, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return log.ReadToEnd().Split('\n').Count(line => line.Contains(sessionId, StringComparison.Ordinal));
    }
}

[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    public const string Name = "cluster";
}
