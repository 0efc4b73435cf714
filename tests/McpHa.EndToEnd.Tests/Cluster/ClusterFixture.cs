namespace McpHa.Tests.Cluster;

/// <summary>The cluster that all scenarios share: four replicas that come back when killed, two balancers, an nginx in front of the replicas, a Redis.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    /// <summary>How many replicas it has when all are up.</summary>
    public const int Replicas = 4;

    private LabCluster? _cluster;

    /// <summary>The cluster; skips the test where there can be none.</summary>
    public LabCluster Cluster
    {
        get
        {
            Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
            return _cluster!;
        }
    }

    private string DeliveryLog { get; } = Directory.CreateTempSubdirectory("deliveries-").FullName;

    public async ValueTask InitializeAsync()
    {
        if (LabCluster.Unavailable is null)
        {
            _cluster = await LabCluster.StartAsync(new()
            {
                Replicas = Replicas,
                Balancers = 2,
                Nginx = LabCluster.NginxUnavailable is null ? "replicas" : null,
                // On a busy machine replicas that were all killed take longer to come back than requests are held by default.
                Environment = new Dictionary<string, string?>
                {
                    ["Server__DeliveryLog"] = DeliveryLog,
                    ["HighAvailability__HoldTime"] = "00:01:00",
                    ["HighAvailability__EnableLegacySse"] = "true",
                    // Tests kill three owners under one call, and all replicas at once.
                    ["HighAvailability__MaxReplicaLosses"] = "5",
                    ["Balancer__Relay__MaxReplicaLosses"] = "5",
                    ["Balancer__HoldTime"] = "00:01:00",
                    ["HighAvailability__Tasks__Tools__deliver"] = "Always",
                },
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        Directory.Delete(DeliveryLog, recursive: true);
    }

    /// <summary>How often <c>deliver</c> has really run in a session.</summary>
    public int Deliveries(string sessionId) => Directory.GetFiles(DeliveryLog).Sum(file =>
    {
        using var log = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return log.ReadToEnd().Split('\n').Count(line => line.Contains(sessionId, StringComparison.Ordinal));
    });
}

[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    public const string Name = "cluster";
}
