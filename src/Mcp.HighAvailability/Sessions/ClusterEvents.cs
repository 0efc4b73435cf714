using System.Text.Json;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Application events as broadcasts of a kind of their own. Sessions and listen streams pass over them.</summary>
internal sealed class ClusterEvents(BroadcastPublisher publisher, BroadcastFollower follower, ILogger<ClusterEvents> logger) : IClusterEvents
{
    public ValueTask PublishAsync<T>(string name, T value, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var kind = BroadcastKinds.Event + name;
        return publisher.PublishAsync(
            kind, CallScope.NamePublication(kind), JsonSerializer.SerializeToUtf8Bytes(value, JsonSerializerOptions.Web), cancellationToken);
    }

    public IDisposable Subscribe<T>(string name, Func<T, ValueTask> handler, Func<ValueTask>? missed = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(handler);
        var kind = BroadcastKinds.Event + name;
        return new BroadcastListener(
            follower,
            wanted => wanted == kind,
            broadcast => handler(JsonSerializer.Deserialize<T>(broadcast.Entry.Payload.Span, JsonSerializerOptions.Web)!),
            missed ?? (static () => ValueTask.CompletedTask),
            logger);
    }
}
