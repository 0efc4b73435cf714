using McpHa.HighAvailability.Limits;
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

    public async ValueTask<bool> RefuseCallAsync(HttpContext context, LiveSession session, JsonRpcRequest request, byte[] body)
    {
        if (session.Calls.Count >= _limits.CallsPerSession && !session.IsKnown(body))
            await TooManyCallsAsync(context, request.Id).ConfigureAwait(false);
        else if (SubscriptionOf(request) is { } uri && !session.MaySubscribe([uri], _limits.SubscriptionsPerSession))
            await TooManySubscriptionsAsync(context, request.Id).ConfigureAwait(false);
        else
            return false;
        return true;
    }

    /// <summary>As <see cref="RefuseCallAsync"/>, for a batch: it is served whole or not at all.</summary>
    public async ValueTask<bool> RefuseBatchAsync(HttpContext context, LiveSession session, IReadOnlyList<(JsonRpcMessage Message, ReadOnlyMemory<byte> Body)> messages)
    {
        var calls = messages.Count(one => one.Message is JsonRpcRequest && !session.IsKnown(one.Body.Span));
        if (calls > 0 && session.Calls.Count + calls > _limits.CallsPerSession)
            await TooManyCallsAsync(context, default).ConfigureAwait(false);
        else if (!session.MaySubscribe([.. messages.Select(one => SubscriptionOf(one.Message)).OfType<string>()], _limits.SubscriptionsPerSession))
            await TooManySubscriptionsAsync(context, default).ConfigureAwait(false);
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

    // The resource that a message subscribes to; null if it does not.
    private static string? SubscriptionOf(JsonRpcMessage message) =>
        message is JsonRpcRequest { Method: RequestMethods.ResourcesSubscribe } request ? JsonRpc.TextParam(request.Params, "uri") : null;

    private Task TooManyCallsAsync(HttpContext context, RequestId id) =>
        HttpAnswers.TooManyAsync(context, $"{_limits.CallsPerSession} calls of one session in flight ({LimitOptions.SectionName}:CallsPerSession).", id);

    private Task TooManySubscriptionsAsync(HttpContext context, RequestId id) =>
        HttpAnswers.TooManyAsync(context, $"{_limits.SubscriptionsPerSession} subscriptions of one session ({LimitOptions.SectionName}:SubscriptionsPerSession).", id);
}
