using System.Threading.Channels;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A client request in flight. To the SDK it is the transport that everything belonging to the request goes through.</summary>
internal sealed class OpenCall(LiveSession session, EventStream stream, ExchangeId exchange, JsonRpcRequest request, ReadOnlyMemory<byte> body)
    : CallScope, ITransport
{
    private StateTransaction? _state;
    private bool _ended;
    private bool _withdrawn;

    /// <summary>Stream that answers the request. Its name is the request's internal id, and stays the same across owners.</summary>
    public EventStream Stream => stream;

    /// <summary>The exchange that brought it.</summary>
    public ExchangeId Exchange => exchange;

    /// <summary>The id that the client chose.</summary>
    public RequestId ClientId { get; } = request.Id;

    public string Method => request.Method;

    public JsonRpcRequest Request => request;

    /// <summary>The request as it arrived.</summary>
    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Whether the rerun policy allows a later owner to run the call again.</summary>
    public bool MayRunTwice { get; init; }

    /// <summary>Questions that this run has sent to the client.</summary>
    public CallQuestions Questions { get; } = new(stream.Id);

    /// <summary>Messages of an earlier run in another owner; <see langword="null"/> on the first run.</summary>
    public CallHistory? History { get; init; }

    /// <summary>Owners that the call had lost before it was written down for the first time.</summary>
    public byte EarlierLosses { get; init; }

    /// <summary>
    /// Runs again when its caller has come back, with what the caller may do then, and not before. Changed by steps alone.
    /// </summary>
    public bool AwaitsCaller { get; set; }

    /// <summary>The batch that writes the call's beginning, while it may still be taken back. Changed by steps alone.</summary>
    public CommitBatch? Beginning { get; set; }

    /// <summary>The client's answers that are in the in-flight table, by question. Changed by steps alone.</summary>
    public Dictionary<string, ReadOnlyMemory<byte>>? StoredAnswers { get; private set; }

    /// <summary>Notes that an answer is in the in-flight table. Call in a step.</summary>
    public void AddStoredAnswer(string question, ReadOnlyMemory<byte> answer) => (StoredAnswers ??= [])[question] = answer;

    /// <summary>The response is enqueued, or there will be none. Set by steps alone.</summary>
    public bool Ended
    {
        get => Volatile.Read(ref _ended);
        set => Volatile.Write(ref _ended, value);
    }

    /// <summary>The client has cancelled the request. Set by steps alone.</summary>
    public bool Withdrawn
    {
        get => Volatile.Read(ref _withdrawn);
        set => Volatile.Write(ref _withdrawn, value);
    }

    public override string? SessionId => session.Id;

    public override long Epoch => session.Epoch;

    public override string User => session.User;

    // By the exchange and not by the stream: a request that a relay sends again because its owner died before it had written the call down is
    // another call to the session, but must not be one to a handle that has it already.
    public override string CallId => $"{session.Id}/{exchange}";

    public override StateTransaction? SessionState
    {
        get
        {
            var state = LazyInitializer.EnsureInitialized(ref _state, session.State.Begin);
            if (!Ended)
                return state;

            // Code that goes on after its call has ended must not keep others from the state.
            SessionStateBag.Abandon(state);
            throw new OperationCanceledException("The call has ended. Session state is available only while a call runs.");
        }
    }

    /// <summary>The state that the call has touched, if it has.</summary>
    public StateTransaction? TouchedState => Volatile.Read(ref _state);

    public ChannelReader<JsonRpcMessage> MessageReader => session.Transport.MessageReader;

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        if (message is JsonRpcResponse or JsonRpcError)
        {
            CallTrace.Complete(session.Id, ClientId);
            return session.Outgoing.AnswerAsync(this, (JsonRpcMessageWithId)message);
        }

        CallTrace.Complete(session.Id, message);
        return message is JsonRpcRequest question
            ? session.Outgoing.AskAsync(this, question, cancellationToken)
            : session.Outgoing.NotifyAsync(this, (JsonRpcNotification)message, cancellationToken);
    }

    /// <summary>Ends the HTTP response that the client reads now; it comes back for the rest. A client that cannot do that keeps its response.</summary>
    public void EndResponse(TimeSpan retry) => session.Outgoing.EndResponse(this, retry);

    public override void ForgetState()
    {
        base.ForgetState();
        if (Interlocked.Exchange(ref _state, null) is { } state)
            SessionStateBag.Abandon(state);
    }

    // The session owns everything that a call uses.
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
