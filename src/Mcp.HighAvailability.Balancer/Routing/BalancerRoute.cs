using System.Diagnostics;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>The way of one exchange through the cluster: the session's owner as far as it is known, otherwise a replica that all balancers agree on.</summary>
internal sealed class BalancerRoute(RoutingState state, string? sessionId, int bodyBytes) : IRelayRoute, IDisposable
{
    private string? _sessionId = sessionId; // of HTTP+SSE it becomes known only with the first event
    private HashSet<string>? _tried; // replicas that did not serve this exchange, until all have been asked
    private string? _namedOwner;
    private bool _holds;
    private string? _lost;
    private long _lostAt;

    public ValueTask<RelayTarget?> NextAsync(RelayFailure? previous, CancellationToken cancellationToken)
    {
        if (previous is not null)
            Note(previous);
        if (previous is not null && !TryHold())
            return default;

        return Choose() is { } chosen ? new(TargetFor(chosen)) : WaitAsync(cancellationToken);
    }

    public void Learned(RelayTarget target, string? owner, string? newSessionId)
    {
        _sessionId ??= newSessionId;
        if (owner is not null && (newSessionId ?? _sessionId) is { } session && SessionIds.IsWellFormed(session))
            state.Owners.Set(session, owner);

        if (_lost is not null)
            state.Failovers.Add(_lost, target.ReplicaId, Stopwatch.GetElapsedTime(_lostAt));

        _lost = null;
        Release();
        _tried = null;
        _namedOwner = null;
    }

    public void Dispose() => Release();

    private async ValueTask<RelayTarget?> WaitAsync(CancellationToken cancellationToken)
    {
        if (!TryHold())
            return null;

        while (true)
        {
            var changed = state.Directory.Changed;
            if (Choose() is { } chosen)
                return TargetFor(chosen);

            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Note(RelayFailure failure)
    {
        var id = failure.Target.ReplicaId;
        (_tried ??= new(StringComparer.Ordinal)).Add(id);
        _namedOwner = failure.Kind is RelayFailureKind.NotOwner ? failure.Owner : null;
        if (failure.Kind is RelayFailureKind.Refused or RelayFailureKind.Broken or RelayFailureKind.Lost && _lost is null)
            (_lost, _lostAt) = (id, Stopwatch.GetTimestamp());
    }

    private ReplicaInfo? Choose()
    {
        var alive = state.Directory.Alive;
        if (alive.Count == 0)
            return null;

        if (_sessionId is not null && KnownOwner(alive) is { } owner)
            return owner;

        // When every replica was asked, the round begins again. The relay delays between rounds.
        if (_tried is not null && alive.All(replica => _tried.Contains(replica.Id)))
            _tried = null;

        var candidates = Candidates(alive);
        return _sessionId is not null ? Rendezvous.Choose(_sessionId, candidates) : state.Loads.Choose(candidates, Random.Shared);
    }

    private ReplicaInfo? KnownOwner(IReadOnlyList<ReplicaInfo> alive)
    {
        if (_namedOwner is not null && state.Directory.Find(_namedOwner) is { } named && !IsTried(named))
            return named;

        if (state.Owners.Find(_sessionId!) is { } cached)
        {
            if (state.Directory.Find(cached) is not { } owner)
                state.Owners.Remove(_sessionId!);
            else if (!IsTried(owner))
                return owner;
            else
                return null; // where the hint points is older news
        }

        if (SessionIds.HintOf(_sessionId) is { } hint)
        {
            foreach (var replica in alive)
            {
                if (state.HintOf(replica) == hint && !IsTried(replica))
                    return replica;
            }
        }

        return null;
    }

    private IReadOnlyList<ReplicaInfo> Candidates(IReadOnlyList<ReplicaInfo> alive)
    {
        var anyTried = _tried is not null;
        var anyDraining = false;
        for (var i = 0; i < alive.Count; i++)
            anyDraining |= alive[i].Draining;
        if (!anyTried && !anyDraining)
            return alive;

        // Draining replicas get no new work while there is another.
        var fresh = alive.Where(replica => !replica.Draining && !IsTried(replica)).ToList();
        return fresh.Count > 0 ? fresh : [.. alive.Where(replica => !IsTried(replica))];
    }

    private bool IsTried(ReplicaInfo replica) => _tried is not null && _tried.Contains(replica.Id);

    private static RelayTarget TargetFor(ReplicaInfo replica) => new(replica.Id, replica.Address, Hop: false);

    private bool TryHold() => _holds || (_holds = state.Held.TryHold(bodyBytes));

    private void Release()
    {
        if (_holds)
            state.Held.Release(bodyBytes);
        _holds = false;
    }
}
