using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>Replicas in this process, each with its own web server, over one in-memory backend.</summary>
/// <remarks>
/// What a replica says to the backend goes through seams that tests hold, stop and cut, so that interleavings happen on purpose. An
/// error that is logged without being expected fails the test that made it.
/// </remarks>
internal sealed class InProcessCluster : IAsyncDisposable
{
    private readonly List<InProcessReplica> _replicas = [];
    private readonly SessionStoreOptions _storeOptions = new();

    private InProcessCluster(Action<SessionStoreOptions>? storeOptions, Action<StateHandleOptions>? handleOptions)
    {
        storeOptions?.Invoke(_storeOptions);
        var handles = new StateHandleOptions();
        handleOptions?.Invoke(handles);
        Sessions = new(TimeProvider.System, Options.Create(_storeOptions));
        Handles = new(new InMemoryStateHandleStore(Clock, Options.Create(handles)));
        Registry = new(new InMemoryReplicaRegistry(TimeProvider.System));
        Broadcasts = new(Bus, Options.Create(BroadcastBounds), TimeProvider.System);
    }

    public InMemorySessions Sessions { get; }

    public InterceptedHandleStore Handles { get; }

    /// <summary>The data protection keys of all replicas.</summary>
    public InMemoryXmlRepository Keys { get; } = new();

    /// <summary>The clock of the state handles alone.</summary>
    public ShiftedTime Clock { get; } = new();

    public CutOffRegistry Registry { get; }

    public InMemoryEventBus Bus { get; } = new(NullLogger<InMemoryEventBus>.Instance);

    /// <summary>The broadcast log of all replicas.</summary>
    public InMemoryBroadcastLog Broadcasts { get; }

    /// <summary>How much of it is kept. Changes count at once.</summary>
    public BroadcastOptions BroadcastBounds { get; } = new();

    /// <summary>What the tools of all replicas do.</summary>
    public ToolScript Tool { get; } = new();

    /// <summary>Errors that a test provokes.</summary>
    public bool ErrorsExpected { get; set; }

    public InProcessReplica this[int index] => _replicas[index];

    public static async Task<InProcessCluster> StartAsync(
        int replicas = 2,
        Action<HighAvailabilityOptions>? options = null,
        Action<SessionStoreOptions>? storeOptions = null,
        Action<StateHandleOptions>? handleOptions = null,
        Action<ClusterOptions>? clusterOptions = null,
        Action<IMcpServerBuilder>? server = null,
        Action<HighAvailabilityBuilder>? ha = null,
        string route = "/mcp")
    {
        var cluster = new InProcessCluster(storeOptions, handleOptions);
        for (var n = 0; n < replicas; n++)
            cluster._replicas.Add(await InProcessReplica.StartAsync(cluster, "replica-" + (char)('a' + n), options, storeOptions, clusterOptions, server, ha, route));
        for (var round = 0; round < 2; round++)
            await cluster.RefreshAsync();
        return cluster;
    }

    /// <summary>The others take a replica for dead and it hears nothing of them, while it lives on.</summary>
    public async Task CutOffAsync(InProcessReplica replica)
    {
        Registry.Cut(replica.Id);
        replica.Bus.Cut = true;
        await RefreshAsync();

        // A replica that has not had a processor for long lets silent ones have more time.
        foreach (var other in _replicas.Where(other => other != replica))
            other.Get<ReplicaDirectory>().ReportUnreachable(replica.Id);
    }

    /// <summary>Takes the store away from some replicas; from the others it is given back.</summary>
    public void TakeStoreFrom(params int[] replicas)
    {
        for (var n = 0; n < _replicas.Count; n++)
        {
            var replica = _replicas[n];
            var away = replicas.Contains(n);
            replica.Store.Away = replica.Bus.Cut = away;
            if (away)
                Registry.AwayFrom[replica.Id] = true;
            else
                Registry.AwayFrom.TryRemove(replica.Id, out _);
        }
    }

    /// <summary>The store loses its data, and readers can see that it has.</summary>
    public void Wipe()
    {
        Sessions.Clear();
        Registry.Incarnation = $"{int.Parse(Registry.Incarnation ?? "1") + 1}";
    }

    /// <summary>Opens a client's session at a replica.</summary>
    public Task<RawClient> ConnectAsync(int replica = 0, string version = "2025-11-25", string? user = null, string category = "") =>
        RawClient.ConnectAsync(this[replica], version, user, category);

    /// <summary>What is written of a session's streams, in order.</summary>
    public IReadOnlyList<JournalEntry> Journal(string sessionId) => Snapshot(sessionId)?.Journal ?? [];

    public SessionSnapshot? Snapshot(string sessionId)
    {
        if (!Sessions.TryGet(sessionId, out var session))
            return null;
        lock (session)
            return session.Snapshot();
    }

    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State(string sessionId)
    {
        if (!Sessions.TryGet(sessionId, out var session))
            return new Dictionary<string, ReadOnlyMemory<byte>>();
        lock (session)
            return session.State();
    }

    public async ValueTask DisposeAsync()
    {
        Tool.Stop();
        Handles.LetGo();
        foreach (var replica in _replicas)
            replica.Store.LetGo();
        await Task.WhenAll(_replicas.Select(r => r.DisposeAsync().AsTask()));
        if (!ErrorsExpected)
            Assert.Empty(_replicas.SelectMany(r => r.Errors));
    }

    private async Task RefreshAsync()
    {
        foreach (var replica in _replicas)
            await replica.Get<ReplicaDirectory>().RefreshAsync();
    }
}
