namespace McpHa.Tests.Browser;

/// <summary>Three replicas behind a balancer that operators may use.</summary>
public sealed class PageFixture : IAsyncLifetime
{
    /// <summary>The operators' key.</summary>
    public const string Key = "a-key-for-these-tests";

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

    /// <summary>The cluster page.</summary>
    public Uri Page => new(Cluster.Endpoint, "/");

    public async ValueTask InitializeAsync()
    {
        if (LabCluster.Unavailable is null && BrowserFixture.Unavailable is null)
        {
            _cluster = await LabCluster.StartAsync(new()
            {
                Environment = new Dictionary<string, string?>
                {
                    ["Balancer__Operations__Key"] = Key,
                    ["Balancer__Dashboard"] = "http://127.0.0.1:18888",
                    ["HighAvailability__HoldTime"] = "00:01:00",
                    ["Balancer__HoldTime"] = "00:01:00",
                },
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }
}

[CollectionDefinition(Name)]
public sealed class PageTests : ICollectionFixture<BrowserFixture>, ICollectionFixture<PageFixture>
{
    public const string Name = "page";
}
