using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Takes what else a client sends: notifications, and answers to server requests.</summary>
internal sealed class ClientMessages(LiveSession session)
{
    /// <summary>Takes a notification or an answer; returns when it is safe to tell the client so. <see langword="false"/>: not served here.</summary>
    /// <param name="message">The message.</param>
    /// <param name="body">Its bytes.</param>
    /// <param name="exchange">The exchange that brings it.</param>
    /// <param name="user">Who sends it.</param>
    public async ValueTask<bool> AcceptAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body, ExchangeId exchange, ClaimsPrincipal? user)
    {
        if (message is not JsonRpcNotification { Method: NotificationMethods.InitializedNotification })
            session.Touch();
        if (!session.Serves)
            return false;
        CallTrace.Join(message);
        if (message is JsonRpcNotification)
            message.Context = new JsonRpcMessageContext { RelatedTransport = session.Transport, User = user };
        return message switch
        {
            JsonRpcNotification { Method: NotificationMethods.CancelledNotification } cancelled => await CancelAsync(cancelled, exchange).ConfigureAwait(false),
            JsonRpcNotification { Method: NotificationMethods.InitializedNotification } => await BeginAsync(message).ConfigureAwait(false),
            JsonRpcNotification => await IsStillServedAsync().ConfigureAwait(false) && session.Transport.Feed(message),
            JsonRpcMessageWithId answer and not JsonRpcRequest => await AcceptAnswerAsync(answer, body).ConfigureAwait(false),
            _ => true,
        };
    }

    /// <summary>Hands a client's answer to the handler that asked. <see langword="false"/>: the question is not open.</summary>
    /// <remarks>The first answer to a server request counts. Later answers, and answers to an unknown request, are dropped.</remarks>
    public bool Deliver(string name, JsonRpcMessageWithId answer)
    {
        if (session.Runner.Run(name, QuestionSteps.Take) is not { } waiting)
            return false;
        answer.Id = waiting;
        answer.Context = null;
        return session.Transport.Feed(answer);
    }

    private async ValueTask<bool> CancelAsync(JsonRpcNotification notification, ExchangeId cancellation)
    {
        var (call, ticket) = session.Runner.Run(
            (Id: JsonRpc.CancelledId(notification), cancellation), static (core, asked) => CancellationSteps.Cancel(core, asked.Id, asked.cancellation));
        if (call is null)
            return await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        return await InTimeAsync(ticket, () =>
        {
            call.ForgetState();
            session.Transport.Feed(ClientRequests.Cancellation(call, notification.Params?.DeepClone() ?? new JsonObject()));
            return true;
        }).ConfigureAwait(false);
    }

    // The answer is stored before the handler sees it: a run in a later owner then finds it instead of asking again.
    private async ValueTask<bool> AcceptAnswerAsync(JsonRpcMessageWithId answer, ReadOnlyMemory<byte> body)
    {
        if (answer.Id.Id is not string name)
            return true;
        if (CallQuestions.StreamOf(name) is { } stream)
        {
            var (kind, call, ticket) = session.Runner.Run(
                (name, stream, body), static (core, answer) => QuestionSteps.Store(core, answer.name, answer.stream, answer.body));
            switch (kind)
            {
                case QuestionAnswer.NotServed:
                    return false;
                case QuestionAnswer.Unknown:
                    return await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
            }

            if (kind == QuestionAnswer.Repeated)
                return await InTimeAsync(ticket, static () => true).ConfigureAwait(false);
            return await InTimeAsync(ticket, () =>
                session.Runner.Run((call, name, answer), static (core, s) => QuestionSteps.Keep(core, s.call, s.name, s.answer)) || Deliver(name, answer))
                    .ConfigureAwait(false)
                || await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        }

        return Deliver(name, answer) || await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
    }

    // While the store is away, an owner goes on with what needs no write.
    private async ValueTask<bool> IsStillServedAsync()
    {
        try
        {
            return await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (StoreUnavailableException) when (session.Serves)
        {
            return true;
        }
    }

    // What is to follow a write follows it, also when the client waits no longer.
    private async ValueTask<bool> InTimeAsync(long ticket, Func<bool> then)
    {
        var following = FollowAsync();
        return await ClientRequests.IsWrittenAsync(session.Runner.WrittenAsync(ticket, WaitMode.Fails)).ConfigureAwait(false) &&
            await following.ConfigureAwait(false);

        async Task<bool> FollowAsync() => await ClientRequests.IsWrittenAsync(session.Runner.WrittenAsync(ticket)).ConfigureAwait(false) && then();
    }

    private async ValueTask<bool> BeginAsync(JsonRpcMessage initialized)
    {
        var ticket = session.Runner.Run<long?>(static core =>
        {
            if (!core.IsActive)
                return null;
            if (core.Handshake.Contains(HandshakeKeys.Initialized))
                return 0;
            core.Handshake.Set(HandshakeKeys.Initialized, RecordedHandshake.Initialized);
            core.Commits.Open().SetHandshake(HandshakeKeys.Initialized, RecordedHandshake.Initialized);
            return core.Commits.Flush();
        });
        return ticket switch
        {
            null => false,
            0 => true,
            { } first => await InTimeAsync(first, () => session.Transport.Feed(initialized)).ConfigureAwait(false),
        };
    }
}
