using System.Diagnostics;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Answer to the lookup of a session.</summary>
/// <param name="State">One of <see cref="LookupStates"/>.</param>
/// <param name="Session">Its id, shortened.</param>
/// <param name="Owner">Replica that owns it; empty while it has no owner.</param>
/// <param name="OwnerState">How that replica is.</param>
/// <param name="Epoch">How often it was taken over, plus one.</param>
/// <param name="ProtocolVersion">Revision of MCP that it speaks.</param>
/// <param name="Created">When it was opened.</param>
/// <param name="TraceId">Its trace; empty: it has none, because telemetry was off when it was opened.</param>
/// <param name="Trace">Where to see the trace, if <c>Balancer:Dashboard</c> says where the dashboard is.</param>
/// <param name="Hops">Changes of its owner, oldest first; the last 20.</param>
internal sealed record LookupAnswer(
    string State, string Session = "", string Owner = "", string OwnerState = "", long Epoch = 0, string ProtocolVersion = "", DateTimeOffset? Created =
        null, string TraceId = "",
    Uri? Trace = null, IReadOnlyList<HopStatus>? Hops = null);

internal sealed record HopStatus(long Epoch, string From, string To, string Reason, DateTimeOffset Time, double? TookMs);

internal static class LookupStates
{
    public const string Served = "served";
    public const string Unowned = "unowned";
    public const string Ended = "ended";
    public const string Unknown = "unknown";
    public const string Invalid = "invalid";
    public const string Away = "away";
    public const string Damaged = "damaged";
}

/// <summary>Looks a session up by its id. The id is the only permission asked for: the answer has the owners, and nothing of user or content.</summary>
internal sealed class SessionTrails(ReplicaDirectory directory, IOptions<BalancerOptions> options, ISessionLookup? lookup = null)
{
    // Enough to recognise it, too little to use it.
    private const int Shown = 8;

    public bool IsPossible => lookup is not null;

    public async ValueTask<LookupAnswer> FindAsync(string sessionId, CancellationToken cancellationToken)
    {
        if (!SessionIds.IsWellFormed(sessionId))
            return new(LookupStates.Invalid);
        var shortened = sessionId.Length > 2 * Shown ? sessionId[..Shown] + "…" : "…";
        SessionTrail? trail;
        try
        {
            trail = await lookup!.FindAsync(sessionId, cancellationToken);
        }
        catch (StoreUnavailableException)
        {
            return new(LookupStates.Away, shortened);
        }
        catch (InvalidDataException)
        {
            return new(LookupStates.Damaged, shortened);
        }

        return trail switch
        {
            null => new(LookupStates.Unknown, shortened),
            { Ended: true } => new(LookupStates.Ended, shortened, Epoch: trail.Epoch),
            _ => Found(trail, shortened),
        };
    }

    private LookupAnswer Found(SessionTrail trail, string shortened)
    {
        var owner = directory.Find(trail.Owner);
        var traceId = ActivityContext.TryParse(trail.TraceParent, null, out var trace) ? trace.TraceId.ToHexString() : "";
        return new(
            trail.Owner.Length > 0 ? LookupStates.Served : LookupStates.Unowned,
            shortened,
            trail.Owner,
            trail.Owner.Length == 0 ? "" : owner is null ? ReplicaStates.Lost : ReplicaStates.Of(owner, isAlive: true),
            trail.Epoch,
            trail.ProtocolVersion,
            trail.Created,
            traceId,
            traceId.Length > 0 && options.Value.Dashboard is { } dashboard ? new Uri(dashboard, $"/traces/detail/{traceId}") : null,
            [.. trail.Hops.Select(hop => new HopStatus(hop.Epoch, hop.From, hop.To, hop.Reason, hop.Time, hop.Took?.TotalMilliseconds))]);
    }
}
