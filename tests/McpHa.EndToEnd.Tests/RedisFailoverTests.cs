using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The Redis of the cluster dies, and its replica takes its place.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class RedisFailoverTests
{
    // Not a measure: the client library looks only now and then who the primary is.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task A_session_goes_on_when_a_Redis_replica_is_promoted()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var pair = await RedisPair.StartAsync();
        await GoesOnAsync(pair, $"127.0.0.1:{pair.PrimaryPort},127.0.0.1:{pair.ReplicaPort},abortConnect=false", pair.PromoteAsync);
    }

    [Fact]
    public async Task A_session_goes_on_when_Sentinel_promotes_a_Redis_replica()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var pair = await RedisPair.StartAsync();
        await using var sentinel = await RedisSentinel.StartAsync(pair);
        await GoesOnAsync(
            pair,
            $"127.0.0.1:{sentinel.Port},serviceName={RedisSentinel.Service},abortConnect=false",
            () => sentinel.WaitForPrimaryAsync(pair.ReplicaPort));
    }

    private static async Task GoesOnAsync(RedisPair pair, string connectionString, Func<Task> promote)
    {
        await using var cluster = await LabCluster.StartAsync(new() { Redis = connectionString });
        await using var client = await CSharpClient.ConnectAsync(cluster.Endpoint, session: null);
        var session = client.SessionId;
        await AddAsync(1, 2, 3);
        await pair.WaitUntilInSyncAsync();

        await pair.KillPrimaryAsync();
        var meanwhile = AddAsync(4);
        var beats = await HeartbeatsAsync();
        await promote();
        await meanwhile.WaitAsync(Limit);
        await AddAsync(5);

        // From now on all replicas write to the new primary: take-overs are possible again.
        await Wait.UntilAsync(
            async () =>
            {
                var now = await HeartbeatsAsync();
                return cluster.State.Replicas.All(replica => now.TryGetValue(replica.Id, out var beat) && beat != beats.GetValueOrDefault(replica.Id));
            },
            "the heartbeats of all replicas at the new primary",
            Limit);
        await AddAsync(6);
        await AssertStateAsync(6);

        var owner = await OwnerAsync();
        owner.Kill();
        await AssertStateAsync(6);
        var successor = await OwnerAsync();
        Assert.NotEqual(owner.Replica, successor.Replica);
        Assert.Equal((session, session), (successor.Session, client.SessionId));
        await AddAsync(7);
        await AssertStateAsync(7);

        async Task AddAsync(params int[] numbers)
        {
            foreach (var number in numbers)
            {
                await client.CallAsync("notes_add", new { text = $"{number}" });
                Assert.Equal(number, (int)(await client.AskAsync("counter_increment"))["value"]!);
            }
        }

        async Task AssertStateAsync(int notes)
        {
            var kept = (await client.AskAsync("notes_list"))["notes"]!.AsArray();
            Assert.Equal(Enumerable.Range(1, notes).Select(number => $"{number}"), kept.Select(note => (string?)note));
        }

        async Task<Owner> OwnerAsync() => Owner.From(await client.AskAsync("where_am_i"));

        // Replica id and its last heartbeat, in turn.
        async Task<Dictionary<string, string>> HeartbeatsAsync() =>
            (await RedisCommand.SendAsync(pair.ReplicaPort, "HGETALL mcp-ha:lab:replicas")).Split('\n').Chunk(2).ToDictionary(beat => beat[0], beat => beat[^1]);
    }
}
