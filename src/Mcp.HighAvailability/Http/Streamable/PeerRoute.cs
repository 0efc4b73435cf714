using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>The route of a request that a peer has to serve: to the owner, and when the owner is lost to the next owner.</summary>
/// <remarks>When that is this replica, an open response goes on through its own address: it is spliced the same way in all cases.</remarks>
internal sealed class PeerRoute(
    SessionHost host, SelfReplica self, TimeProvider time, string? sessionId, ReplicaInfo first, HttpContext context) : IRelayRoute
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);

    private readonly long _started = time.GetTimestamp();
    private string? _sessionId = sessionId;

    public async ValueTask<RelayTarget?> NextAsync(RelayFailure? previous, CancellationToken cancellationToken)
    {
        if (previous is null)
            return Target(first);
        while (true)
        {
            // Without a session (an 'initialize' that a draining replica passes on) any other replica will do.
            var ownership = _sessionId is not null
                ? await host.FindAsync(_sessionId, cancellationToken, SessionGate.Purpose(context)).ConfigureAwait(false)
                : host.Successor(context.TraceIdentifier) is { } other ? new Ownership.Peer(other) : new Ownership.Undecided("");
            var sameAgain = previous.Kind is RelayFailureKind.NotOwner or RelayFailureKind.Unavailable;
            switch (ownership)
            {
                case Ownership.Peer { Replica: var peer } when !(sameAgain && peer.Id == previous.Target.ReplicaId):
                    return Target(peer);
                case Ownership.Local or Ownership.None or Ownership.Damaged when self.Describe() is { } here:
                    return Target(here) with { IsHere = true };
            }

            if (host.Drained && time.GetElapsedTime(_started) > SessionGate.HoldTimeWhenDrained)
                return null;
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            previous = previous with { Kind = RelayFailureKind.Broken };
        }
    }

    public void Learned(RelayTarget target, string? owner, string? sessionId)
    {
        // A stream of HTTP+SSE, opened elsewhere for this replica: it goes on wherever its session lives.
        if (HttpMethods.IsGet(context.Request.Method))
            _sessionId ??= sessionId;
        if (owner is not null && context.Request.Headers.ContainsKey(HaHeaders.Relay) && !context.Response.HasStarted)
            context.Response.Headers[HaHeaders.Owner] = owner;
    }

    private static RelayTarget Target(ReplicaInfo replica) => new(replica.Id, replica.Address, Hop: true);
}
