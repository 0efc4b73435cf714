using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Takes what else a client sends: notifications, and answers to server requests.</summary>
internal sealed class ClientMessages(LiveSession session)
{
    /// <summary>Takes a notification or an answer; returns when it is safe to tell the client so. <see langword="false"/>: not served here.</summary>
    public async Task<bool> AcceptAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body, ExchangeId exchange)
    {
        if (message is not JsonRpcNotification { Method: NotificationMethods.InitializedNotification })
            session.Touch();
        if (!session.Serves)
            return false;
        CallTrace.Join(message);
        if (message is JsonRpcNotification)
            message.Context = new JsonRpcMessageContext { RelatedTransport = session.Transport };
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
    /// <remarks>A question is answered once; whatever comes under its name later, or under a name that was never asked, is nobody's.</remarks>
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
        if (!await ClientRequests.IsWrittenAsync(session.Runner.ShownAsync(ticket)).ConfigureAwait(false))
            return false;
        call.ForgetState();
        session.Transport.Feed(ClientRequests.Cancellation(call, notification.Params?.DeepClone() ?? new JsonObject()));
        return true;
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

            if (!await ClientRequests.IsWrittenAsync(session.Runner.ShownAsync(ticket)).ConfigureAwait(false))
                return false;
            if (kind == QuestionAnswer.Repeated)
                return true;
            if (session.Runner.Run((call, name, answer), static (core, s) => QuestionSteps.Keep(core, s.call, s.name, s.answer)))
                return true;
        }

        return Deliver(name, answer) || await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
    }

    // While the store is away for everybody there are no take-overs, and an owner goes on with what it has.
    private async ValueTask<bool> IsStillServedAsync()
    {
        try
        {
            return await session.IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (StoreUnavailableException) when (session.Serves)
        {
            if (!await session.Runtime.Commits.Standing.IsUnchallengedAsync(CancellationToken.None).ConfigureAwait(false))
                throw;
            return session.Serves;
        }
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
            { } first => await ClientRequests.IsWrittenAsync(session.Runner.ShownAsync(first)).ConfigureAwait(false) && session.Transport.Feed(initialized),
        };
    }
}
