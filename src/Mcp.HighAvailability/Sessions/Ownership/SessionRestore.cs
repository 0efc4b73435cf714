using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Restores a session in its new owner: a fresh server hears what the old one heard, then the open calls go on.</summary>
/// <remarks>An idle session gets its server only when a message needs it, see <see cref="Activation.StartOnDemand"/>.</remarks>
internal static class SessionRestore
{
    // More than an owner can have shown before the journal had it (Durability.Fast, or a store that stayed away): none of the
    // event ids that a client may have is given to something else, and all of them can be resumed from.
    private const long PositionsLeftOut = 1 << 20;

    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Restores a session from what the take-over, caused by a request, read. Returns it with how many calls run again and how many were refused.
    /// </summary>
    /// <param name="runtime">What all sessions of the replica share.</param>
    /// <param name="snapshot">What the store holds of the session.</param>
    /// <param name="cause">The trace of the request.</param>
    /// <param name="onGone">Called when the session is no longer served here.</param>
    /// <param name="forCall">A call waits for the session, so its server is started at once.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public static async Task<(LiveSession Session, int Rerun, int Refused)> RunAsync(
        SessionRuntime runtime, SessionSnapshot snapshot, ActivityContext cause, Action<LiveSession> onGone, bool forCall, CancellationToken cancellationToken)
    {
        var record = snapshot.Record with { LastPosition = snapshot.Record.LastPosition + PositionsLeftOut };
        var broadcasts = await SessionBroadcasts.RestoreAsync(
            record.Handshake.TryGetValue(HandshakeKeys.Broadcast, out var cursor) ? cursor : null, runtime.Broadcasts, cancellationToken).ConfigureAwait(false);
        var session = new LiveSession(runtime, record, broadcasts, onGone) { ProtocolVersion = snapshot.Record.ProtocolVersion };
        try
        {
            if (forCall || NeedsServer(runtime, snapshot))
            {
                await session.Activation.StartAsync(runtime.Hooks?.ContextOf(record), cancellationToken).ConfigureAwait(false);
                await ReplayHandshakeAsync(session, snapshot.Record, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                session.Activation.StartOnDemand((live, stopping) => ReplayHandshakeAsync(live, snapshot.Record, stopping));
            }

            session.State.Load(snapshot.State);
            var calls = TakeUp(session, snapshot, cause);
            var rerun = calls.Count(session.Reruns.Resume);
            return (session, rerun, calls.Count - rerun);
        }
        catch
        {
            session.Close();
            throw;
        }
    }

    // Calls go on, and hooks and handlers of the application's own for the beginning of a session may begin to send by themselves.
    private static bool NeedsServer(SessionRuntime runtime, SessionSnapshot snapshot) =>
        snapshot.Calls.Count > 0
        || runtime.Hooks is not null
        || Handshake.HasOtherHandlers(runtime.ServerOptions)
        || runtime.ServerOptions.Handlers.SubscribeToResourcesHandler is not null && RecordedHandshake.HasSubscriptions(snapshot.Record.Handshake);

    // Each step is awaited: messages of one session run concurrently, and a log level must not overtake the beginning.
    private static async Task ReplayHandshakeAsync(LiveSession session, SessionRecord record, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HandshakeTimeout);
        foreach (var message in RecordedHandshake.Messages(record.Handshake))
        {
            var begins = message is JsonRpcRequest { Method: RequestMethods.Initialize };
            var answer = await Handshake.ReplayAsync(session, message, UserKey.ToPrincipal(record.User), limit.Token).ConfigureAwait(false);
            if (answer is JsonRpcError { Error: var error } && begins)
                throw new InvalidDataException(
                    $"The session's own 'initialize' is refused by this server: {error.Message}. Do all replicas run the same version?");
        }
    }

    // Parsed outside of the step: what is damaged ends the attempt, not the session.
    private static List<OpenCall> TakeUp(LiveSession session, SessionSnapshot snapshot, ActivityContext cause)
    {
        Dictionary<string, OpenCall> open = new(StringComparer.Ordinal);
        List<WithdrawnCall> withdrawn = [];
        foreach (var (stream, bytes) in snapshot.Calls.Where(c => CallQuestions.StreamOf(c.Key) is null))
        {
            if (InFlightCall.IsWithdrawn(bytes))
            {
                var (exchange, cancellation) = InFlightCall.ReadWithdrawn(bytes);
                withdrawn.Add(new(stream, exchange, cancellation));
                continue;
            }

            var call = InFlightCall.Parse(bytes);
            if (JsonRpc.Parse(call.Body.Span) is JsonRpcRequest request)
            {
                CallTrace.Rejoin(request, cause);
                open.Add(stream, new OpenCall(session, new EventStream(stream, session.OneStream), call.Exchange, request, call.Body)
                {
                    History = new(),
                    EarlierLosses = call.Losses,
                    MayRunTwice = RerunPolicy.Allows(request, session.Activation.Options),
                });
            }
        }

        foreach (var (name, answer) in snapshot.Calls)
        {
            if (CallQuestions.StreamOf(name) is { } stream && open.TryGetValue(stream, out var call) &&
                JsonRpc.Parse(answer.Span) is JsonRpcMessageWithId message)
            {
                call.History!.AddAnswer(name, message);
                call.AddStoredAnswer(name, answer);
            }
        }

        session.Runner.Run((open, withdrawn, snapshot), static (core, taken) => RestoreSteps.TakeUp(core, taken.open, taken.withdrawn, taken.snapshot));
        return [.. open.Values];
    }
}
