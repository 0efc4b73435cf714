namespace McpHa.Tests;

/// <summary>The contracts on Garnet.</summary>
[Collection(GarnetCollection.Name)]
public sealed class GarnetSessionStoreTests(GarnetBackend garnet) : RedisSessionStoreTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetSessionCommitTests(GarnetBackend garnet) : RedisSessionCommitTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetSessionWriteBackTests(GarnetBackend garnet) : RedisSessionWriteBackTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetSessionLookupTests(GarnetBackend garnet) : RedisSessionLookupTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetStoreFiguresTests(GarnetBackend garnet) : RedisStoreFiguresTests(garnet)
{
    protected override bool TellsMemory => false;
}

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetJournalTests(GarnetBackend garnet) : RedisJournalTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetEventBusTests(GarnetBackend garnet) : RedisEventBusTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetBroadcastLogTests(GarnetBackend garnet) : RedisBroadcastLogTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetReplicaRegistryTests(GarnetBackend garnet) : RedisReplicaRegistryTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetKeyRepositoryTests(GarnetBackend garnet) : RedisKeyRepositoryTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetStateHandleStoreTests(GarnetBackend garnet) : RedisStateHandleStoreTests(garnet);

/// <inheritdoc cref="GarnetSessionStoreTests"/>
[Collection(GarnetCollection.Name)]
public sealed class GarnetTaskStoreTests(GarnetBackend garnet) : RedisTaskStoreTests(garnet)
{
    protected override int Tasks => 1_000;
}
