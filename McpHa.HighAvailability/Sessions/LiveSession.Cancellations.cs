using System.Text.Json.Nodes;
using McpHa.HighAvailability.Journal;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Requests that the client takes back.</summary>
internal sealed partial class LiveSession
{
    private readonly EarlyCancellations _earlyCancellations;

    /// <summary>Withdraws a request that the client has cancelled: durably, so that no later owner runs it again.</summary>
    /// <returns><see langword="false"/>: the session is no longer served here.</returns>
    public async ValueTask<bool> CancelAsync(JsonRpcNotification notification)
    {
        List<OpenCall> withdrawn = [];
        Task done = Task.CompletedTask;
        lock (Gate)
        {
            foreach (var call in Calls.FindAll(ClientRequestId(notification)).ToList())
            {
                if (!TryEnd(call))
                    continue;
                call.Withdrawn = true;
                withdrawn.Add(call);
                var batch = Queue.Open();
                if (Calls.Withdraw(call.Stream.Id, call.Key) is { } forgotten)
                    batch.SetCall(forgotten, null);
                batch.SetCall(call.Stream.Id, InFlightCall.Withdrawn(call.Key));
                batch.Then(new(EffectKind.Complete, call.Stream));
                done = batch.Done;
            }

            if (withdrawn.Count == 0)
                _earlyCancellations.Add(ClientRequestId(notification));
        }

        if (withdrawn.Count == 0)
            return await IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        Queue.Flush();
        if (!await WrittenAsync(done).ConfigureAwait(false))
            return false;
        foreach (var call in withdrawn)
        {
            call.ForgetState();
            Transport.Feed(Cancellation(call, notification.Params?.DeepClone() ?? new JsonObject()));
        }

        return true;
    }

    // A cancellation as the SDK understands it: by the id that it knows the request by.
    private static JsonRpcNotification Cancellation(OpenCall call, JsonNode parameters)
    {
        parameters["requestId"] = call.Stream.Id;
        return new JsonRpcNotification { Method = NotificationMethods.CancelledNotification, Params = parameters };
    }

    // What answers a request that was cancelled before it came: nothing.
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
}
