using Mcp.HighAvailability.Affinity;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Whether an owner may speak before the store has agreed.</summary>
internal interface IStanding
{
    /// <summary>Nobody can have given this replica up: what it serves is its own.</summary>
    bool Leased { get; }

    /// <summary>Whether nobody can have taken a session over from this replica; may ask its peers.</summary>
    ValueTask<bool> IsUnchallengedAsync(CancellationToken cancellationToken);
}

/// <summary>This replica's standing among its peers while it may be cut off from the store: may it still take itself for the owner of its sessions?</summary>
/// <remarks>
/// <para>
/// Invariant: what the store has not confirmed is shown only while nobody can have taken the session over. There are two ways to know that.
/// A heartbeat is a lease: silence is counted from it by the store's clock, so for <c>MissingAfter</c> after it was sent nobody gives this replica up
/// for being silent. After a longer gap the lease is good again when every session has been checked against the store.
/// </para>
/// <para>
/// Without a lease all peers are asked. One that cannot reach the registry either, and has never given this replica up, promises to take
/// nothing over from it for <see cref="Promise"/>, whatever it learns meanwhile; the promise is relied on for <see cref="Reliance"/>, counted from
/// before the question. If all give it (there may be none), nobody has taken over before, nor does during that time. One peer that has
/// the store, that has given this replica up, or that does not answer is enough for silence; of those that nobody listens for
/// any more not all may be gone.
/// </para>
/// <para>
/// What remains: a replica that joined after the last heartbeat that arrived here, and has the store, is not known, so not asked; and a
/// process that is stopped between the question and the write may write one message late. The store refuses both in any case.
/// </para>
/// </remarks>
internal sealed class Standing(ISelfReplica self, ReplicaDirectory directory, PeerProbe probe, IOptions<ClusterOptions> options, TimeProvider time) : IStanding
{
    /// <summary>How long a peer that was asked takes nothing over.</summary>
    public static readonly TimeSpan Promise = TimeSpan.FromSeconds(2);

    /// <summary>How long an answer is relied on.</summary>
    public static readonly TimeSpan Reliance = TimeSpan.FromSeconds(1);

    // Sessions that wait at the same time share a round of questions.
    private static readonly TimeSpan Shared = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private Task<Round>? _asking;
    private volatile Round _last = new(false, false, [], 0);
    private volatile ReplicaInfo[] _refuges = [];
    private int _confirmed;

    public bool Leased => directory.SinceBeat < options.Value.MissingAfter && directory.Lapses == Volatile.Read(ref _confirmed);

    /// <summary>As far as was asked lately, nobody can have taken over: signs of life may be sent.</summary>
    public bool Unchallenged => Leased || _last is { AllAway: true } last && time.GetElapsedTime(last.Asked) < Reliance;

    /// <summary>This replica alone cannot reach the store: others serve.</summary>
    public bool Isolated => _refuges.Length > 0;

    public async ValueTask<bool> IsUnchallengedAsync(CancellationToken cancellationToken)
    {
        if (Leased)
            return true;
        var round = await AskAsync(cancellationToken).ConfigureAwait(false);
        return round.AllAway && time.GetElapsedTime(round.Asked) < Reliance;
    }

    /// <summary>A peer that reaches the store, to serve a key while this replica does not; <see langword="null"/> when this one serves.</summary>
    public ReplicaInfo? Refuge(string key) => _refuges is { Length: > 0 } peers ? Rendezvous.Choose(key, peers) : null;

    /// <summary>All sessions were checked against the store, by checks that began when there had been so many lapses.</summary>
    public void Confirm(int lapses) => Volatile.Write(ref _confirmed, lapses);

    /// <summary>Asks how things stand, unless this replica has its lease. Returns whether it is isolated.</summary>
    public async ValueTask<bool> LookAsync(CancellationToken cancellationToken)
    {
        if (Leased)
        {
            _refuges = [];
            return false;
        }

        var round = await AskAsync(cancellationToken).ConfigureAwait(false);
        var isolated = round.Someone && directory.SinceBeat >= options.Value.Overdue && directory.RegistryAway;
        if (isolated || round.AllAway)
            _refuges = isolated ? round.Refuges : [];
        return Isolated;
    }

    private Task<Round> AskAsync(CancellationToken cancellationToken)
    {
        Task<Round> asking;
        lock (_gate)
        {
            if (_asking is null || _asking.IsCompleted && time.GetElapsedTime(_last.Asked) >= Shared)
                _asking = RunAsync();
            asking = _asking;
        }

        return asking.WaitAsync(cancellationToken);
    }

    private async Task<Round> RunAsync()
    {
        // Not in the caller's lock.
        await Task.Yield();
        var asked = time.GetTimestamp();
        var peers = directory.Known().Select(known => known.Replica).Where(peer => peer.Id != self.Id).ToArray();
        var answers = await Task.WhenAll(peers.Select(AskAsync)).ConfigureAwait(false);
        var refuges = peers.Where((_, i) => answers[i] is ProbeAnswer.Answered { StoreAway: false, Draining: false }).ToArray();
        var someone = answers.Any(answer => answer is ProbeAnswer.Answered { StoreAway: false });
        var away = answers.Count(answer => answer is ProbeAnswer.Answered { StoreAway: true, Spares: true });
        var gone = answers.Count(answer => answer is ProbeAnswer.Unreachable { Refused: true });
        return _last = new(peers.Length == 0 || away > 0 && away + gone == peers.Length, someone, refuges, asked);
    }

    // Whatever goes wrong here is no answer, and so silence: those who wait for it must not fail by it.
    private async Task<ProbeAnswer> AskAsync(ReplicaInfo peer)
    {
        try
        {
            return await probe.AskAsync(peer, self.Id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            return new ProbeAnswer.Unclear();
        }
    }

    private sealed record Round(bool AllAway, bool Someone, ReplicaInfo[] Refuges, long Asked);
}
