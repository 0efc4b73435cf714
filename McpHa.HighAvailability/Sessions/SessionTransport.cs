using System.Threading.Channels;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>The session's transport as the SDK sees it. What belongs to no client request goes to a GET stream.</summary>
internal sealed class SessionTransport(LiveSession session) : ITransport
{
    private readonly Channel<JsonRpcMessage> _incoming =
        Channel.CreateUnbounded<JsonRpcMessage>(new UnboundedChannelOptions { SingleReader = true });

    public string? SessionId => session.Id;

    public ChannelReader<JsonRpcMessage> MessageReader => _incoming.Reader;

    /// <summary>Hands a client's message to the SDK; <see langword="false"/> when the session has ended here.</summary>
    public bool Feed(JsonRpcMessage message) => _incoming.Writer.TryWrite(message);

    public void Close() => _incoming.Writer.TryComplete();

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default) =>
        session.SendUnrelatedAsync(message, cancellationToken);

    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }
}
