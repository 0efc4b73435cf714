using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>The choice that the store loses everything, as a Redis without persistence does that is restarted, and what may be gone by it.</summary>
/// <remarks>
/// <para>The sessions, their journals and their state are gone, the broadcast log and the registry, and another incarnation begins. What was pushed before is
/// still under way.</para>
/// <para>Invariant: the session and all that was committed survive as long as its newest owner lives. They may be gone only in these cases
/// (<see cref="IsForgotten"/>):</para>
/// <list type="bullet">
/// <item>The newest owner was dead when the data were lost, or had handed the session over and no replica had taken it: only the store had it.</item>
/// <item>The newest owner died while the store lacked something that it had accepted before: only this owner had it.</item>
/// <item>Another replica took the newest owner for dead while the store lacked something, and took over from what an older owner had written back. That
/// costs as much as a death.</item>
/// </list>
/// <para>Then the session is unknown, or it goes on from what an older owner has.</para>
/// <para>Invariant: a client sees nothing of an older owner that the store has fenced. A store that has lost the newer epoch cannot fence: until the newest
/// owner has written back, an older one that has not noticed its loss yet may do so, and its client may see things twice (<see cref="IsUnfenced"/>). In the
/// end the store has what the newest owner had.</para>
/// </remarks>
internal sealed class StoreLoss(InMemorySessions sessions, InMemoryBroadcastLog log, EverybodyBeats registry, Ledger ledger, Deliveries deliveries, int most)
{
    private readonly HashSet<ExploredReplica> _unaware = [];
    private bool _isUnknown;

    /// <summary>How often the store may lose everything yet.</summary>
    public int Left { get; private set; } = most;

    public bool HasHappened { get; private set; }

    /// <summary>Whether something is gone that only the dead had.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>Whether the session is gone, or something of it: nothing more is promised for it.</summary>
    public bool IsGone => IsForgotten || _isUnknown;

    /// <summary>Whether an older owner has written back before the newest.</summary>
    public bool IsUnfenced => ledger.HasTakenOlder;

    /// <summary>Whether only the store has what the newest owner had.</summary>
    public bool WouldForget(IEnumerable<ExploredReplica> living) => living.All(r => r.Id != ledger.Owner);

    /// <summary>The store loses everything.</summary>
    public void Happen(IEnumerable<ExploredReplica> living)
    {
        (Left, HasHappened) = (Left - 1, true);
        var survivors = living.ToList();
        deliveries.Lost(survivors);
        sessions.Clear();
        log.Wipe();
        registry.Lose();
        ledger.Lost();
        if (WouldForget(survivors))
            Forget();
    }

    /// <summary>A replica has been killed.</summary>
    public void Killed(ExploredReplica replica)
    {
        if (replica.Id == ledger.Owner && ledger.IsStoreBehind)
            Forget();
    }

    /// <summary>A replica has taken the session over.</summary>
    public void TakenOver(ExploredReplica by, SessionRecord record)
    {
        var newest = ledger.Owner;
        if (!ledger.TakenOver(record))
            return;
        IsForgotten = true;
        if (newest.Length == 0 || by.Directory.Find(newest) is not null)
            ledger.Violations.Add($"{by.Id} took over epoch {record.Epoch} from an older owner than '{newest}', which it does not take for dead.");
    }

    /// <summary>A replica does not know the session, or what its client has had of it. Returns whether that may be.</summary>
    /// <remarks>
    /// An owner that lives is unknown to a replica only if the store has lost the session and this replica takes the owner for dead. It answers by what it
    /// found when it looked: since then the owner may have written the session back, and another replica may have taken it over.
    /// </remarks>
    public bool MayLack(ExploredReplica replica)
    {
        var isUnknown = TakesOwnerForDead(replica) || replica.Id != ledger.Owner && _unaware.Contains(replica);
        _isUnknown |= isUnknown;
        return isUnknown || IsForgotten || IsUnfenced;
    }

    /// <summary>A replica that took the owner for dead when it looked for the session gets the answer that the store does not have it, and decides now.</summary>
    public void LookedInVain(ExploredReplica replica) => _unaware.Add(replica);

    /// <summary>Nothing moves: who had such an answer has decided by it.</summary>
    public void Decided() => _unaware.Clear();

    /// <summary>Whether the store has lost the session and a replica takes its owner for dead.</summary>
    public bool TakesOwnerForDead(ExploredReplica replica) =>
        HasHappened && replica.Id != ledger.Owner && replica.Directory.Find(ledger.Owner) is null;

    private void Forget()
    {
        IsForgotten = true;
        ledger.Forget();
    }
}
