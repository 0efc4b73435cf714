using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>The SDK's own client transport, with an observer beside it.</summary>
internal sealed class MessageTap(IClientTransport inner, ClientObserver observer) : IClientTransport
{
    public string Name => inner.Name;

    public async Task<ITransport> ConnectAsync(CancellationToken cancellationToken = default) =>
        new Tapped(await inner.ConnectAsync(cancellationToken), observer);

    private sealed class Tapped : ITransport
    {
        private readonly ITransport _inner;
        private readonly ClientObserver _observer;
        private readonly Channel<JsonRpcMessage> _messages = Channel.CreateUnbounded<JsonRpcMessage>(new() { SingleReader = true, SingleWriter = true });
        private readonly Task _pump;

        public Tapped(ITransport inner, ClientObserver observer)
        {
            (_inner, _observer) = (inner, observer);
            _pump = PumpAsync();
        }

        public string? SessionId => _inner.SessionId;

        public ChannelReader<JsonRpcMessage> MessageReader => _messages.Reader;

        public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
        {
            _observer.Sent(Json(message));
            return _inner.SendMessageAsync(message, cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _inner.DisposeAsync();
            await _pump;
        }

        private async Task PumpAsync()
        {
            Exception? end = null;
            try
            {
                await foreach (var message in _inner.MessageReader.ReadAllAsync())
                {
                    _observer.Received(Json(message));
                    _messages.Writer.TryWrite(message);
                }
            }
            catch (Exception e)
            {
                // Not ours to judge: the SDK's client gets it as it would without us.
                end = e;
            }

            _messages.Writer.TryComplete(end);
        }

        private static JsonObject Json(JsonRpcMessage message) =>
            JsonSerializer.SerializeToNode(message, McpJsonUtilities.ProtocolOptions.GetTypeInfo(typeof(JsonRpcMessage)))!.AsObject();
    }
}
