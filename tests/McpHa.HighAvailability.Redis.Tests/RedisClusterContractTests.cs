namespace McpHa.Tests;

/// <summary>The contracts on a Redis Cluster of three nodes.</summary>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterSessionStoreTests(RedisClusterBackend cluster) : RedisSessionStoreTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterSessionCommitTests(RedisClusterBackend cluster) : RedisSessionCommitTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterSessionWriteBackTests(RedisClusterBackend cluster) : RedisSessionWriteBackTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterSessionLookupTests(RedisClusterBackend cluster) : RedisSessionLookupTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterJournalTests(RedisClusterBackend cluster) : RedisJournalTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterEventBusTests(RedisClusterBackend cluster) : RedisEventBusTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterReplicaRegistryTests(RedisClusterBackend cluster) : RedisReplicaRegistryTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterKeyRepositoryTests(RedisClusterBackend cluster) : RedisKeyRepositoryTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterStateHandleStoreTests(RedisClusterBackend cluster) : RedisStateHandleStoreTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterBroadcastLogTests(RedisClusterBackend cluster) : RedisBroadcastLogTests(cluster);

/// <inheritdoc cref="RedisClusterSessionStoreTests"/>
[Collection(RedisClusterCollection.Name)]
public sealed class RedisClusterTaskStoreTests(RedisClusterBackend cluster) : RedisTaskStoreTests(cluster)
{
    protected override int Tasks => 1_000;
}
