using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Does what operators ask of this replica over the event bus.</summary>
internal sealed partial class OperationsListener(
    IEventBus bus, SelfReplica self, ReplicaDrain drain, TimeProvider time, ILogger<OperationsListener> logger) : IHostedService
{
    private readonly BusListener _listener = new(bus, OperationMessage.Topic, time, logger);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _listener.Start(OnMessage);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _listener.StopAsync();

    private ValueTask OnMessage(ReadOnlyMemory<byte> message)
    {
        switch (OperationMessage.Read(message.Span, self.Id))
        {
            case ReplicaOperation.Drain:
                if (!drain.Begin())
                    LogNotAlone();
                break;
            case ReplicaOperation.Resume:
                drain.CallOff();
                break;
        }

        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Drain refused: no other replica can take the sessions of this one. Start another replica first.")]
    private partial void LogNotAlone();
}
