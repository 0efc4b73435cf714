using McpHa.HighAvailability.Limits;
using McpHa.HighAvailability.Relay;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Http;

/// <summary>Refuses what is beyond the limits on sessions; each method says whether it has.</summary>
internal sealed class SessionLimits(SessionHost host, IOptions<LimitOptions>? options = null)
{
    private readonly LimitOptions _limits = options?.Value ?? new();

    public async ValueTask<bool> RefuseSessionAsync(HttpContext context, string user, RequestId id)
    {
        if (host.SessionCount >= _limits.Sessions)
            await HttpAnswers.FullAsync(context, $"it has {_limits.Sessions} sessions ({LimitOptions.SectionName}:Sessions).", id).ConfigureAwait(false);
        else if (user.Length > 0 && host.SessionCount >= _limits.SessionsPerUser && host.Sessions.Count(s => s.User == user) >= _limits.SessionsPerUser)
            await HttpAnswers.TooManyAsync(context, $"{_limits.SessionsPerUser} sessions of one user ({LimitOptions.SectionName}:SessionsPerUser). End some with DELETE.", id).ConfigureAwait(false);
        else
            return false;
        return true;
    }

    public async ValueTask<bool> RefuseCallAsync(HttpContext context, LiveSession session, JsonRpcRequest request)
    {
        if (session.Calls.Count >= _limits.CallsPerSession && !session.IsKnown(ClientExchange.Of(context).Id))
            await HttpAnswers.TooManyAsync(context, $"{_limits.CallsPerSession} calls of one session in flight ({LimitOptions.SectionName}:CallsPerSession).", request.Id).ConfigureAwait(false);
        else if (SubscriptionOf(request) is { } uri && !session.MaySubscribe(uri, _limits.SubscriptionsPerSession))
            await HttpAnswers.TooManyAsync(context, $"{_limits.SubscriptionsPerSession} subscriptions of one session ({LimitOptions.SectionName}:SubscriptionsPerSession).", request.Id).ConfigureAwait(false);
        else
            return false;
        return true;
    }

    public async ValueTask<bool> RefuseStreamAsync(HttpContext context, LiveSession session)
    {
        if (session.ReaderCount < _limits.StreamsPerSession)
            return false;
        await HttpAnswers.TooManyAsync(context, $"{_limits.StreamsPerSession} open streams of one session ({LimitOptions.SectionName}:StreamsPerSession).").ConfigureAwait(false);
        return true;
    }

    // The resource that a request subscribes to; null if it does not.
    private static string? SubscriptionOf(JsonRpcRequest request) =>
        request.Method == RequestMethods.ResourcesSubscribe ? JsonRpc.TextParam(request.Params, "uri") : null;
}
