using System.Text.Json.Nodes;
using Mcp.HighAvailability.Journal;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Requests that the client takes back.</summary>
internal sealed partial class LiveSession
{
    // Requests that have arrived and wait until the session stays or has moved, in the order of their arrival. Guarded by the gate.
    private List<WaitingRequest>? _waiting;

    /// <summary>
    /// Withdraws the newest call with an id that the client has cancelled: durably, so that no later owner runs it again. A cancellation for which
    /// there is no call does nothing: clients use an id again, and a request that comes later is another one.
    /// </summary>
    /// <returns><see langword="false"/>: the session is no longer served here.</returns>
    public async ValueTask<bool> CancelAsync(JsonRpcNotification notification, ExchangeId cancellation)
    {
        var id = ClientRequestId(notification);
        OpenCall? call = null;
        Task done = Task.CompletedTask;
        lock (Gate)
        {
            if (!Calls.HasCancelled(cancellation) && !WithdrawWaiting(id))
                call = Calls.FindNewest(id);
            if (call is not null && TryEnd(call))
            {
                call.Withdrawn = true;
                var batch = Queue.Open();
                if (Calls.Withdraw(new(call.Stream.Id, call.Exchange, cancellation)) is { } forgotten)
                    batch.SetCall(forgotten, null);
                batch.SetCall(call.Stream.Id, InFlightCall.Withdrawn(call.Exchange, cancellation));
                batch.Then(new(EffectKind.Complete, call.Stream));
                done = batch.Done;
            }
        }

        if (call is not { Withdrawn: true })
            return await IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        Queue.Flush();
        if (!await WrittenAsync(done).ConfigureAwait(false))
            return false;
        call.ForgetState();
        Transport.Feed(Cancellation(call, notification.Params?.DeepClone() ?? new JsonObject()));
        return true;
    }

    // Under the gate. Withdraws the newest request with that id that waits, and what repeats it; false when none waits.
    private bool WithdrawWaiting(RequestId id)
    {
        if (_waiting?.FindLast(request => request.Id == id && !request.Withdrawn) is not { } newest)
            return false;
        foreach (var request in _waiting.Where(request => request.Exchange == newest.Exchange))
            request.Withdrawn = true;
        return true;
    }

    // Under the gate. Ends the wait of a request. Returns what answers it if the client has cancelled it meanwhile.
    private StreamSubscription? StopWaiting(WaitingRequest? request)
    {
        if (request is not null)
            _waiting!.Remove(request);
        return request is { Withdrawn: true } ? Withdrawn() : null;
    }

    /// <summary>Whether the client has cancelled the call of a stream: it has no answer.</summary>
    public bool WasWithdrawn(string stream)
    {
        lock (Gate)
            return Calls.WasWithdrawn(stream);
    }

    // A cancellation as the SDK understands it: by the id that it knows the request by.
    private static JsonRpcNotification Cancellation(OpenCall call, JsonNode parameters)
    {
        parameters["requestId"] = call.Stream.Id;
        return new JsonRpcNotification { Method = NotificationMethods.CancelledNotification, Params = parameters };
    }

    // What answers a request that was cancelled while it waited, or that repeats a cancelled one: nothing.
    private static StreamSubscription Withdrawn()
    {
        var nothing = new EventStream("");
        nothing.Complete();
        return nothing.Attach();
    }

    private static RequestId ClientRequestId(JsonRpcNotification notification) =>
        notification.Params is JsonObject o && o["requestId"] is JsonValue value
            ? value.TryGetValue(out long number) ? new(number) : value.TryGetValue(out string? text) ? new(text) : default
            : default;

    private sealed class WaitingRequest(RequestId id, ExchangeId exchange)
    {
        public RequestId Id => id;

        public ExchangeId Exchange => exchange;

        /// <summary>The client has cancelled it. Guarded by the gate.</summary>
        public bool Withdrawn { get; set; }
    }
}
