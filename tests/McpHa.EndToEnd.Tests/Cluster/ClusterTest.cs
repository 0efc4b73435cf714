using System.Text.Json.Nodes;
using McpHa.Tests.Clients;

namespace McpHa.Tests.Cluster;

/// <summary>Where a client connects to.</summary>
public enum Access
{
    /// <summary>The balancer.</summary>
    Balancer,

    /// <summary>A replica that does not own the session, directly. It stays alive.</summary>
    NonOwner,

    /// <summary>nginx, which hands the requests to all replicas in turn, the owner and the dead ones included.</summary>
    Nginx,
}

/// <summary>Which process serves a session.</summary>
internal sealed record Owner(string Replica, int ProcessId, long Epoch, string? Session)
{
    public static Owner From(JsonNode answer) =>
        new((string)answer["replica"]!, (int)answer["processId"]!, (long)answer["epoch"]!, (string?)answer["session"]);

    public void Kill() => Processes.Send(ProcessId, Processes.SigKill);

    public void Terminate() => Processes.Send(ProcessId, Processes.SigTerm);

    public void Pause() => Processes.Send(ProcessId, Processes.SigStop);

    public void Continue() => Processes.Send(ProcessId, Processes.SigCont);
}

/// <summary>Base of the scenarios: connects clients, and finds who serves them.</summary>
[Collection(ClusterCollection.Name)]
public abstract class ClusterTest(ClusterFixture fixture)
{
    /// <summary>What nothing here takes; see <see cref="Wait.Limit"/>.</summary>
    protected static readonly TimeSpan Limit = Wait.Limit;

    /// <summary>Both clients, by all ways: for the first promise. Other scenarios take two rows of it, so that a class meets each client and each way.</summary>
    public static TheoryData<ClientKind, Access> Everywhere => new()
    {
        { ClientKind.TypeScript, Access.Balancer },
        { ClientKind.TypeScript, Access.NonOwner },
        { ClientKind.CSharp, Access.Balancer },
        { ClientKind.CSharp, Access.NonOwner },
        { ClientKind.TypeScript, Access.Nginx },
        { ClientKind.CSharp, Access.Nginx },
    };

    public static TheoryData<ClientKind> BothClients => new() { ClientKind.TypeScript, ClientKind.CSharp };

    public static TheoryData<Access> BothWays => new() { Access.Balancer, Access.NonOwner };

    public static TheoryData<Access> AllWays => new() { Access.Balancer, Access.NonOwner, Access.Nginx };

    protected ClusterFixture Fixture => fixture;

    protected LabCluster Cluster => fixture.Cluster;

    private protected async Task<TestClient> ConnectAsync(ClientKind kind, Access access)
    {
        if (access == Access.Balancer)
            return await ConnectAsync(kind, Cluster.Endpoint);
        if (access == Access.Nginx)
        {
            // It holds no request until there is a replica again.
            await ReplicasAsync();
            return await ConnectAsync(kind, Nginx);
        }

        // The client goes on, elsewhere, with a session that was opened at its owner.
        var (owner, other, _) = await ReplicasAsync();
        using var opener = new RawClient(LabCluster.EndpointOf(owner));
        return await ConnectAsync(kind, LabCluster.EndpointOf(other), await opener.InitializeAsync());
    }

    /// <summary>The MCP endpoint at nginx; skips the test where there is none.</summary>
    protected Uri Nginx
    {
        get
        {
            Assert.SkipWhen(LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");
            return Cluster.NginxEndpoint;
        }
    }

    private protected static async Task<TestClient> ConnectAsync(ClientKind kind, Uri endpoint, string? session = null)
    {
        Assert.SkipWhen(kind == ClientKind.TypeScript && TypeScriptClient.Unavailable is not null, TypeScriptClient.Unavailable ?? "");
        return kind == ClientKind.TypeScript
            ? await TypeScriptClient.ConnectAsync(endpoint, session)
            : await CSharpClient.ConnectAsync(endpoint, session);
    }

    /// <summary>Plain HTTP to an open session.</summary>
    private protected async Task<RawClient> ConnectRawAsync(Access access)
    {
        if (access != Access.NonOwner)
        {
            if (access == Access.Nginx)
                await ReplicasAsync();
            var balanced = new RawClient(access == Access.Nginx ? Nginx : Cluster.Endpoint);
            await balanced.InitializeAsync();
            return balanced;
        }

        var (owner, other, _) = await ReplicasAsync();
        using var opener = new RawClient(LabCluster.EndpointOf(owner));
        return At(other, await opener.InitializeAsync());
    }

    private protected static RawClient At(ReplicaState replica, string? session) => new(LabCluster.EndpointOf(replica)) { SessionId = session };

    private protected static async Task<Owner> OwnerOf(TestClient client) => Owner.From(await client.AskAsync("where_am_i"));

    private protected static async Task<Owner> OwnerOf(RawClient client)
    {
        var answer = await client.CallAsync($"where-{Guid.NewGuid():N}", "where_am_i");
        return Owner.From(answer["result"]!["structuredContent"]!);
    }

    /// <summary>Three replicas that are up.</summary>
    protected async Task<(ReplicaState First, ReplicaState Second, ReplicaState Third)> ReplicasAsync()
    {
        var state = await Cluster.WaitForAsync(
            state => state.Replicas.Count(r => Processes.IsUp(r.Pid)) >= 3, "three replicas to be up");
        var alive = state.Replicas.Where(r => Processes.IsUp(r.Pid)).ToArray();
        return (alive[0], alive[1], alive[2]);
    }

    /// <summary>A replica that is up and is none of those.</summary>
    protected async Task<ReplicaState> AnotherAsync(params string[] ids)
    {
        var state = await Cluster.WaitForAsync(
            state => state.Replicas.Any(r => Processes.IsUp(r.Pid) && !ids.Contains(r.Id)), "another replica to be up");
        return state.Replicas.First(r => Processes.IsUp(r.Pid) && !ids.Contains(r.Id));
    }

    /// <summary>No connection of the client broke. Behind nginx that cannot be: its streams end with the replica that they come from.</summary>
    private protected static void AssertNoTrouble(TestClient client, Access access)
    {
        if (access != Access.Nginx)
            Assert.Empty(client.Trouble);
    }

    /// <summary>The steps that a countdown reports, each once and in order.</summary>
    private protected static void AssertEveryStepOnce(ClientKind kind, int steps, IReadOnlyList<double> reported)
    {
        // The C# SDK hands notifications to handlers side by side, so the order in which they run there says nothing.
        IEnumerable<double> seen = kind == ClientKind.CSharp ? reported.Order() : reported;
        Assert.Equal(Enumerable.Range(1, steps).Select(step => (double)step), seen);
    }
}
