using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>Refuses what is beyond the limits on sessions; each method says whether it has.</summary>
internal sealed class SessionLimits(SessionHost host, Refusals refusals, IOptions<LimitOptions>? options = null)
{
    private readonly LimitOptions _limits = options?.Value ?? new();

    public async ValueTask<bool> RefuseSessionAsync(HttpContext context, string user, RequestId id)
    {
        if (host.SessionCount >= _limits.Sessions)
            await HttpAnswers.FullAsync(context, $"{_limits.Sessions} sessions ({LimitOptions.SectionName}:Sessions).", id).ConfigureAwait(false);
        else if (user.Length > 0 && host.SessionsOf(user) >= _limits.SessionsPerUser)
            await refusals.TooManyAsync(context, $"{_limits.SessionsPerUser} sessions of one user", $"{LimitOptions.SectionName}:SessionsPerUser", id,
                advice: " End some with DELETE.").ConfigureAwait(false);
        else
            return false;
        return true;
    }

    public async ValueTask<bool> RefuseCallAsync(HttpContext context, LiveSession session, JsonRpcRequest request, int length)
    {
        var (subscriptions, bytes) = session.RecordedWith(request);
        var calls = session.CallsInFlight;
        if (calls.Count >= _limits.CallsPerSession && !IsKnown())
            await refusals.TooManyAsync(context, $"{_limits.CallsPerSession} calls of one session in flight", $"{LimitOptions.SectionName}:CallsPerSession",
                request.Id, session.Id).ConfigureAwait(false);
        else if (calls.Count > 0 && calls.Bytes + length > _limits.CallBytesPerSession && !IsKnown())
            await refusals.TooManyAsync(context, $"{_limits.CallBytesPerSession} bytes of requests of one session in flight",
                $"{LimitOptions.SectionName}:CallBytesPerSession", request.Id, session.Id).ConfigureAwait(false);
        else if (session.IsBehind && !IsKnown())
            await HttpAnswers.UnavailableAsync(context, "too many answers of this session wait for the store (HighAvailability:PendingEntries, " +
                "HighAvailability:Sessions:JournalBytes). This request has not run.", request.Id).ConfigureAwait(false);
        else if (subscriptions > _limits.SubscriptionsPerSession)
            await refusals.TooManyAsync(context, $"{_limits.SubscriptionsPerSession} subscriptions of one session",
                $"{LimitOptions.SectionName}:SubscriptionsPerSession", request.Id, session.Id).ConfigureAwait(false);
        else if (bytes > _limits.HandshakeBytesPerSession)
            await refusals.TooManyAsync(context, $"{bytes} bytes would be recorded of the session with this request, more than " +
                $"{_limits.HandshakeBytesPerSession}", $"{LimitOptions.SectionName}:HandshakeBytesPerSession", request.Id, session.Id,
                advice: " Unsubscribe from some resources.").ConfigureAwait(false);
        else
            return false;
        return true;

        bool IsKnown() => session.IsKnown(ClientExchange.Of(context).Id);
    }

    /// <summary>Refuses a client whose description of itself is too large to be kept.</summary>
    public async ValueTask<bool> RefuseInitializeAsync(HttpContext context, JsonRpcRequest initialize)
    {
        var bytes = RecordedHandshake.Initialize(initialize).Length;
        if (bytes <= _limits.HandshakeBytesPerSession)
            return false;
        await HttpAnswers.ErrorAsync(
            context, StatusCodes.Status413PayloadTooLarge, (int)McpErrorCode.InvalidParams,
            $"'clientInfo' and 'capabilities' take {bytes} bytes; at most {_limits.HandshakeBytesPerSession} are kept " +
                $"({LimitOptions.SectionName}:HandshakeBytesPerSession). Send less, or raise the limit.", initialize.Id).ConfigureAwait(false);
        return true;
    }

    public async ValueTask<bool> RefuseStreamAsync(HttpContext context, LiveSession session)
    {
        if (session.ReaderCount < _limits.StreamsPerSession)
            return false;
        await refusals.TooManyAsync(context, $"{_limits.StreamsPerSession} open streams of one session", $"{LimitOptions.SectionName}:StreamsPerSession",
            sessionId: session.Id).ConfigureAwait(false);
        return true;
    }
}
