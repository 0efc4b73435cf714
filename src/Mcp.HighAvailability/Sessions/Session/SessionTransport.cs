using System.Threading.Channels;
using Mcp.HighAvailability.Diagnostics;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The session's transport as the SDK sees it. What belongs to no client request goes to a GET stream.</summary>
internal sealed class SessionTransport(LiveSession session) : ITransport
{
    // The SDK's read loop runs on the thread that feeds it: it only takes note of a message and goes on to handle it on another
    // thread, so a thread between the two would be for nothing.
    private readonly Channel<JsonRpcMessage> _incoming =
        Channel.CreateUnbounded<JsonRpcMessage>(new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });

    // Messages that wait for the activation of the session; null when it is activated.
    private readonly Lock _gate = new();
    private Queue<JsonRpcMessage>? _held;
    private Action? _activate;

    public string? SessionId => session.Id;

    public ChannelReader<JsonRpcMessage> MessageReader => _incoming.Reader;

    /// <summary>Hands a client's message to the SDK; <see langword="false"/> when the session has ended here. Not in a step: the SDK runs on.</summary>
    public bool Feed(JsonRpcMessage message) => Volatile.Read(ref _held) is not null && TryHold(message) ? !session.IsOver : FeedNow(message);

    /// <summary>As <see cref="Feed"/>, past messages that wait for the activation.</summary>
    public bool FeedNow(JsonRpcMessage message) => _incoming.Writer.TryWrite(message);

    /// <summary>Holds messages back until <see cref="Release"/>. The first of them starts the activation.</summary>
    public void HoldUntilActivated(Action activate) => (_activate, _held) = (activate, new());

    /// <summary>Starts the activation, if nothing has.</summary>
    public void Activate()
    {
        Action? activate;
        lock (_gate)
            (activate, _activate) = (_activate, null);
        activate?.Invoke();
    }

    /// <summary>Hands the held messages to the SDK, in their order.</summary>
    public void Release()
    {
        while (true)
        {
            JsonRpcMessage[] held;
            lock (_gate)
            {
                if (_held is not { Count: > 0 })
                {
                    _held = null;
                    return;
                }

                held = [.. _held];
                _held.Clear();
            }

            foreach (var message in held)
                FeedNow(message);
        }
    }

    public void Close() => _incoming.Writer.TryComplete();

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        CallTrace.Complete(session.Id, message);
        return session.Unrelated.SendAsync(message, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }

    private bool TryHold(JsonRpcMessage message)
    {
        Action? activate;
        lock (_gate)
        {
            if (_held is null)
                return false;
            _held.Enqueue(message);
            (activate, _activate) = (_activate, null);
        }

        activate?.Invoke();
        return true;
    }
}
