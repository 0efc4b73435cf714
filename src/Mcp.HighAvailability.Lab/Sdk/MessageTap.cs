using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Sdk;

/// <summary>The SDK's own client transport, with an observer that sees every message before the SDK's client does, in the order of the wire.</summary>
/// <remarks>That client handles messages side by side, and drops the progress of a call whose answer it has handled.</remarks>
/// <param name="inner">The transport.</param>
/// <param name="onReceived">Called for each message that has arrived.</param>
/// <param name="onSent">Called for each message on its way to the server; <see langword="null"/>: not observed.</param>
internal sealed class MessageTap(IClientTransport inner, Action<JsonObject> onReceived, Action<JsonObject>? onSent = null) : IClientTransport
{
    public string Name => inner.Name;

    public async Task<ITransport> ConnectAsync(CancellationToken cancellationToken = default) =>
        new Tapped(await inner.ConnectAsync(cancellationToken), onReceived, onSent);

    private sealed class Tapped : ITransport
    {
        private readonly ITransport _inner;
        private readonly Action<JsonObject> _onReceived;
        private readonly Action<JsonObject>? _onSent;
        private readonly Channel<JsonRpcMessage> _messages = Channel.CreateUnbounded<JsonRpcMessage>(new() { SingleReader = true, SingleWriter = true });
        private readonly Task _pump;

        public Tapped(ITransport inner, Action<JsonObject> onReceived, Action<JsonObject>? onSent)
        {
            (_inner, _onReceived, _onSent) = (inner, onReceived, onSent);
            _pump = PumpAsync();
        }

        public string? SessionId => _inner.SessionId;

        public ChannelReader<JsonRpcMessage> MessageReader => _messages.Reader;

        public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
        {
            _onSent?.Invoke(Json(message));
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
                    _onReceived(Json(message));
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
