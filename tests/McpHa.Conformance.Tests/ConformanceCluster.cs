namespace McpHa.Tests.Conformance;

/// <summary>Three replicas of the conformance server, a balancer and a Redis; and an nginx straight in front of the replicas.</summary>
public sealed class ConformanceCluster : IAsyncLifetime
{
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

    public async ValueTask InitializeAsync()
    {
        if (LabCluster.Unavailable is null)
        {
            _cluster = await LabCluster.StartAsync(new()
            {
                Nginx = LabCluster.NginxUnavailable is null ? "replicas" : null,
                Environment = new Dictionary<string, string?> { ["HighAvailability__EnableLegacySse"] = "true" },
                Arguments = ["--project", LabCluster.Assembly("*.Conformance.Server")],
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    /// <summary>Kills a replica every two seconds, as long as the two others are up, until disposed.</summary>
    internal KillLoop StartKilling() => new(Cluster);

    /// <summary>Waits until three replicas are up.</summary>
    internal Task<ClusterState> CompleteAsync() =>
        Cluster.WaitForAsync(state => state.Replicas.Count(replica => Processes.IsUp(replica.Pid)) >= 3, "three replicas to be up");
}

[CollectionDefinition(Name)]
public sealed class ConformanceCollection : ICollectionFixture<ConformanceCluster>
{
    public const string Name = "conformance";
}
