using Mcp.HighAvailability.Sessions;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Sends to sessions that this replica owns, or takes over for it.</summary>
internal sealed class SessionDelivery(SessionHost host)
{
    /// <summary>Does what is asked of a session here.</summary>
    public Task<PeerAnswer> HandleAsync(PeerRequest request, CancellationToken cancellationToken) =>
        request.Kind == PeerRequestKind.Subscribers
            ? Task.FromResult(new PeerAnswer(PeerOutcome.Done) { Sessions = Subscribers(request.Method) })
            : SendAsync(request, cancellationToken);

    /// <summary>Sends to a session that is served here.</summary>
    public static Task<PeerAnswer> SendAsync(LiveSession session, PeerRequest request, CancellationToken cancellationToken) =>
        request.Kind == PeerRequestKind.Notify ? NotifyAsync(session, request, cancellationToken) : AskAsync(session, request, cancellationToken);

    /// <summary>Sessions here that have subscribed to a resource.</summary>
    public IReadOnlyList<string> Subscribers(string uri) =>
        [.. host.Sessions.Where(session => session.Serves && session.IsSubscribed(uri)).Select(static session => session.Id)];

    private async Task<PeerAnswer> SendAsync(PeerRequest request, CancellationToken cancellationToken) =>
        await host.FindAsync(request.Session, cancellationToken, PurposeOf(request)) switch
        {
            Ownership.Local { Session: var session } => await SendAsync(session, request, cancellationToken),
            Ownership.None => new(PeerOutcome.Unknown),
            Ownership.Damaged { Reason: var reason } => new(PeerOutcome.Failed) { Reason = reason },
            Ownership.Undecided { Reason: var reason } => new(PeerOutcome.NotNow) { Reason = reason },
            _ => new(PeerOutcome.NotNow) { Reason = "The session has moved." },
        };

    /// <summary>What a take-over would be for.</summary>
    public static TakeOverFor PurposeOf(PeerRequest request) => request.Kind == PeerRequestKind.Request ? TakeOverFor.Call : TakeOverFor.Stream;

    private static async Task<PeerAnswer> NotifyAsync(LiveSession session, PeerRequest request, CancellationToken cancellationToken)
    {
        if (session.Unrelated.TrySend(new JsonRpcNotification { Method = request.Method, Params = request.Params }) is not { } sent)
            return new(PeerOutcome.NotNow) { Reason = "The session has moved." };
        await sent.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return new(sent.IsCompletedSuccessfully ? PeerOutcome.Done : PeerOutcome.Lost) { Reason = "The session was lost." };
    }

    private static async Task<PeerAnswer> AskAsync(LiveSession session, PeerRequest request, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, session.Runner.Stopped);
        try
        {
            var response = await session.Activation.RequestAsync(new JsonRpcRequest { Method = request.Method, Params = request.Params }, over.Token);
            return new(PeerOutcome.Done) { Result = response.Result };
        }
        catch (McpProtocolException e)
        {
            return new(PeerOutcome.Failed) { Reason = e.Message, ErrorCode = (int)e.ErrorCode };
        }
        catch (InvalidOperationException e) when (session.Serves)
        {
            return new(PeerOutcome.Failed) { Reason = e.Message };
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return new(PeerOutcome.Lost) { Reason = "The session was lost." };
        }
    }
}
