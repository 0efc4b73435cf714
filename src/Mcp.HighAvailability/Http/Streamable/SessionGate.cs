using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using PeerRelay = Mcp.HighAvailability.Relay.Relay;

namespace Mcp.HighAvailability.Http;

/// <summary>Has a request of a session served by its owner: here, through a peer, or here after a take-over.</summary>
internal sealed class SessionGate(
    SessionHost host, SelfReplica self, ReplicaDirectory directory, PeerRelay relay, SessionMetrics metrics, TimeProvider time,
    IOptions<HighAvailabilityOptions> options, IOptions<LimitOptions>? limits = null)
{
    // A replica that is to be replaced by one that starts only when it has ended must not wait for that one.
    public static readonly TimeSpan HoldTimeWhenDrained = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _holdTime = options.Value.HoldTime;
    private readonly TimeSpan _storeTime = options.Value.DurableTimeout < options.Value.HoldTime ? options.Value.DurableTimeout : options.Value.HoldTime;
    private readonly int _maxHeld = (limits?.Value ?? new()).HeldRequests;
    private int _held;

    /// <summary>Requests that wait here now.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Answers a request of a session. The handler says <see langword="false"/> when the session has moved before a byte was sent.</summary>
    /// <param name="context">The request.</param>
    /// <param name="sessionId">Which session, as the client says.</param>
    /// <param name="body">Its body, for a peer.</param>
    /// <param name="id">Its JSON-RPC id, for errors.</param>
    /// <param name="serve">Serves it here.</param>
    /// <param name="legacy">Whether it came by HTTP+SSE; a session is served by the transport that opened it, and unknown to the other.</param>
    public async Task ServeAsync(
        HttpContext context, string sessionId, ReadOnlyMemory<byte> body, RequestId id, Func<LiveSession, Task<bool>> serve, bool legacy = false)
    {
        if (sessionId.Length == 0)
        {
            await HttpAnswers.BadRequestAsync(context,
                "The Mcp-Session-Id header is missing: open a session with 'initialize' and send the id that it returns.", id: id).ConfigureAwait(false);
            return;
        }

        var hop = context.Request.Headers[HaHeaders.Hop].ToString();
        if (hop.Length > 0 && hop != self.Id)
        {
            await HttpAnswers.NotOwnerAsync(context, null).ConfigureAwait(false);
            return;
        }

        var silent = context.Request.Headers[HaHeaders.Silent].ToString();
        var started = time.GetTimestamp();
        while (!context.RequestAborted.IsCancellationRequested)
        {
            var ownership = SessionIds.IsWellFormed(sessionId)
                ? await host.FindAsync(sessionId, context.RequestAborted, Purpose(context)).ConfigureAwait(false)
                : new Ownership.None();
            switch (ownership)
            {
                case Ownership.Local { Session: var session }:
                    if (session.User != UserKey.Of(context.User))
                    {
                        await HttpAnswers.ForbiddenAsync(context, id).ConfigureAwait(false);
                        return;
                    }

                    if (session.HasOneStream != legacy)
                    {
                        await HttpAnswers.SessionNotFoundAsync(context, id).ConfigureAwait(false);
                        return;
                    }

                    Identify(context, session, legacy);
                    if (await TryServeAsync(context, session, serve).ConfigureAwait(false) is not { } away)
                        return;
                    if (away.Length > 0 && !await HoldAsync(context, started, away, id, HttpMethods.IsPost(context.Request.Method) ? _storeTime : null)
                        .ConfigureAwait(false))
                        return;
                    break;
                case Ownership.Damaged { Reason: var damage }:
                    await HttpAnswers.ErrorAsync(context, StatusCodes.Status500InternalServerError, (int)McpErrorCode.InternalError, damage, id)
                        .ConfigureAwait(false);
                    return;
                case Ownership.Peer { Replica: var owner } when silent == owner.Id:
                    silent = "";
                    await directory.CheckSilenceAsync(owner.Id, context.RequestAborted).ConfigureAwait(false);
                    break;
                case Ownership.Peer { Replica: var owner } when hop.Length > 0: // one hop at most
                    await HttpAnswers.NotOwnerAsync(context, owner.Id).ConfigureAwait(false);
                    return;
                case Ownership.Peer { Replica: var owner }:
                    if (await PassOnAsync(context, sessionId, body, owner).ConfigureAwait(false))
                        return;
                    break;
                case Ownership.None:
                    await HttpAnswers.SessionNotFoundAsync(context, id).ConfigureAwait(false);
                    return;
                case Ownership.Undecided { Reason: var reason }:
                    if (!await HoldAsync(context, started, reason, id).ConfigureAwait(false))
                        return;
                    break;
            }
        }
    }

    /// <summary>Kind of take-over that a request needs: a GET that resumes the response of a call waits for its answer.</summary>
    public static TakeOverFor Purpose(HttpContext context) =>
        HttpMethods.IsGet(context.Request.Method) && !context.Request.Headers[McpHeaders.LastEventId].ToString().StartsWith(SseEventId.CallStream)
            ? TakeOverFor.Stream
            : TakeOverFor.Call;

    /// <summary>
    /// Lets a peer answer, or the next owner when that peer is lost. <see langword="false"/>: this replica is the next owner; nothing was answered.
    /// </summary>
    public Task<bool> PassOnAsync(HttpContext context, string? sessionId, ReadOnlyMemory<byte> body, ReplicaInfo peer)
    {
        metrics.Forwarded();
        var begun = ClientExchange.Of(context);
        var exchange = new RelayExchange
        {
            Method = HttpMethod.Parse(context.Request.Method),
            PathAndQuery = context.Request.PathBase + context.Request.Path + context.Request.QueryString,
            Body = body,
            Repeatable = true,
            HoldTime = _holdTime,
            BegunAt = begun.HasBegun ? [.. begun.BegunAt, self.Id] : begun.BegunAt,
            ForRelay = context.Request.Headers.ContainsKey(HaHeaders.Relay),
        };
        return relay.RelayAsync(context, exchange, new PeerRoute(host, self, time, sessionId, peer, context), context.RequestAborted);
    }

    /// <summary>
    /// Names the session to the client (HTTP+SSE does so in its first event alone) and on the request's span, its owner and its trace to a relay.
    /// </summary>
    public void Identify(HttpContext context, LiveSession session, bool legacy = false)
    {
        if (!legacy)
            context.Response.Headers[McpHeaders.SessionId] = session.Id;
        var traceParent = session.Record.TraceParent;
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay))
        {
            context.Response.Headers[HaHeaders.Owner] = self.Id;
            if (SessionTrace.IsRecorded(traceParent))
                context.Response.Headers[HaHeaders.Trace] = traceParent;
        }

        SessionTrace.Mark(context, traceParent, session.Id, self.Id, session.Epoch);
    }

    /// <summary>Lets a request wait for another attempt. <see langword="false"/>: it was refused.</summary>
    /// <remarks>A relay asks elsewhere meanwhile; a client would take a refusal for final, so its request is held.</remarks>
    public async ValueTask<bool> HoldAsync(HttpContext context, long started, string reason, RequestId id, TimeSpan? longest = null)
    {
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay) || time.GetElapsedTime(started) > (host.Drained ? HoldTimeWhenDrained : longest ?? _holdTime))
        {
            await RefuseAsync(context, reason, id).ConfigureAwait(false);
            return false;
        }

        if (Interlocked.Increment(ref _held) > _maxHeld)
        {
            Interlocked.Decrement(ref _held);
            await RefuseAsync(context, $"{reason} The limit of held requests is reached ({LimitOptions.SectionName}:HeldRequests).", id).ConfigureAwait(false);
            return false;
        }

        // Thousands may wait for a store that stays away.
        var pause = TimeSpan.FromMilliseconds(Math.Clamp(time.GetElapsedTime(started).TotalMilliseconds / 8, 25, 400));
        await Task.Delay(pause, time, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Interlocked.Decrement(ref _held);
        return true;
    }

    // What has begun to run here is never said to be safe to send again.
    private Task RefuseAsync(HttpContext context, string reason, RequestId id)
    {
        if (!ClientExchange.Of(context).HasBegun)
            return HttpAnswers.UnavailableAsync(context, reason, id);
        if (!context.Request.Headers.ContainsKey(HaHeaders.Relay))
            metrics.Overdue();
        return HttpAnswers.MayHaveRunAsync(context, reason, self.Id, id);
    }

    // A store that goes away under a request is no answer: what has begun is cut, so that the client resumes; the rest is tried again.
    // Null: served; otherwise why the store is away, or empty when the session has moved.
    private static async Task<string?> TryServeAsync(HttpContext context, LiveSession session, Func<LiveSession, Task<bool>> serve)
    {
        try
        {
            return await serve(session).ConfigureAwait(false) ? null : "";
        }
        catch (StoreUnavailableException) when (context.Response.HasStarted)
        {
            context.Abort();
            return null;
        }
        catch (StoreUnavailableException e)
        {
            return e.Message;
        }
    }
}
