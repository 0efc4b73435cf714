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

    public string? SessionId => session.Id;

    public ChannelReader<JsonRpcMessage> MessageReader => _incoming.Reader;

    /// <summary>Hands a client's message to the SDK; <see langword="false"/> when the session has ended here. Not in a step: the SDK runs on.</summary>
    public bool Feed(JsonRpcMessage message) => _incoming.Writer.TryWrite(message);

    public void Close() => _incoming.Writer.TryComplete();

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        CallTrace.Complete(session.Id);
        return session.Unrelated.SendAsync(message, cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }
}
