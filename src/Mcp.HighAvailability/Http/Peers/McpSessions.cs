using System.Text.Json.Nodes;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;
using ModelContextProtocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Finds the owner of a session, and has it send.</summary>
internal sealed class McpSessions(
    SessionHost host, SessionDelivery delivery, PeerClient peers, ReplicaDirectory directory, ISelfReplica self, IOptions<HighAvailabilityOptions> options,
    TimeProvider time) : IMcpSessions
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public async ValueTask<bool> NotifyAsync(string sessionId, string method, JsonNode? parameters = null, CancellationToken cancellationToken = default)
    {
        var answer = await SendAsync(Message(PeerRequestKind.Notify, sessionId, method, parameters), cancellationToken);
        return answer.Outcome switch
        {
            PeerOutcome.Done => true,
            PeerOutcome.Unknown => false,
            _ => throw new IOException($"'{method}' may not have reached session {sessionId}: {answer.Reason}"),
        };
    }

    public async ValueTask<JsonNode?> RequestAsync(string sessionId, string method, JsonNode? parameters = null, CancellationToken cancellationToken = default)
    {
        var answer = await SendAsync(Message(PeerRequestKind.Request, sessionId, method, parameters), cancellationToken);
        return answer.Outcome switch
        {
            PeerOutcome.Done => answer.Result,
            PeerOutcome.Unknown => throw new McpException($"'{method}' was not sent: session {sessionId} is unknown or has ended."),
            PeerOutcome.Failed when answer.ErrorCode is { } code => throw new McpProtocolException(answer.Reason, (McpErrorCode)code),
            PeerOutcome.Failed => throw new McpException(answer.Reason),
            _ => throw new IOException($"The client of session {sessionId} may have had '{method}': {answer.Reason}"),
        };
    }

    public async ValueTask<IReadOnlyList<string>> FindSubscribersAsync(string uri, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(uri);
        var request = new PeerRequest(PeerRequestKind.Subscribers, "", uri);
        var others = await Task.WhenAll(directory.Alive.Where(replica => replica.Id != self.Id).Select(replica => AskAsync(replica)));
        return [.. others.SelectMany(static sessions => sessions).Concat(delivery.Subscribers(uri)).Distinct()];

        async Task<IReadOnlyList<string>> AskAsync(ReplicaInfo replica)
        {
            var answer = await peers.AskAsync(replica, request, cancellationToken);
            if (answer.Outcome == PeerOutcome.Done || directory.Find(replica.Id) is null)
                return answer.Sessions;
            throw new IOException($"Not all subscribers of '{uri}' are known: {answer.Reason}");
        }
    }

    private static PeerRequest Message(PeerRequestKind kind, string sessionId, string method, JsonNode? parameters)
    {
        ArgumentException.ThrowIfNullOrEmpty(sessionId);
        ArgumentException.ThrowIfNullOrEmpty(method);
        return new(kind, sessionId, method, parameters?.DeepClone());
    }

    private async Task<PeerAnswer> SendAsync(PeerRequest request, CancellationToken cancellationToken)
    {
        if (!SessionIds.IsWellFormed(request.Session))
            return new(PeerOutcome.Unknown);
        var started = time.GetTimestamp();
        while (true)
        {
            var answer = await TryAsync(request, cancellationToken);
            if (answer.Outcome != PeerOutcome.NotNow)
                return answer;
            if (time.GetElapsedTime(started) > options.Value.HoldTime)
                throw new StoreUnavailableException($"'{request.Method}' was not sent to session {request.Session}: {answer.Reason}");
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async Task<PeerAnswer> TryAsync(PeerRequest request, CancellationToken cancellationToken) =>
        await host.FindAsync(request.Session, cancellationToken, SessionDelivery.PurposeOf(request)) switch
        {
            Ownership.Local { Session: var session } => await SessionDelivery.SendAsync(session, request, cancellationToken),
            Ownership.Peer { Replica: var owner } => await peers.AskAsync(owner, request, cancellationToken),
            Ownership.None => new(PeerOutcome.Unknown),
            Ownership.Damaged { Reason: var reason } => new(PeerOutcome.Failed) { Reason = reason },
            Ownership.Undecided { Reason: var reason } => new(PeerOutcome.NotNow) { Reason = reason },
            _ => new(PeerOutcome.NotNow),
        };
}
