using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>Appends broadcasts to the log.</summary>
internal sealed class BroadcastPublisher(IBroadcastLog log, BroadcastFollower follower, IOptions<HighAvailabilityOptions> options, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Publishes to every replica, once for each id within the retention of the log. Returns when the log has the broadcast; waits up to
    /// <see cref="HighAvailabilityOptions.DurableTimeout"/> for a store that is away.
    /// </summary>
    /// <param name="kind">See <see cref="BroadcastPublication.Kind"/>.</param>
    /// <param name="id">See <see cref="BroadcastPublication.Id"/>. Inside a call: <c>CallScope.NamePublication</c>, so that a rerun does not
    /// publish it again.</param>
    /// <param name="payload">The content.</param>
    /// <param name="cancellationToken">Gives up waiting; the broadcast may have been published.</param>
    /// <exception cref="StoreUnavailableException">The store was away for too long. The broadcast may have been published.</exception>
    /// <exception cref="ArgumentException">Kind or id are not allowed, or the broadcast is too large.</exception>
    public async ValueTask PublishAsync(string kind, string id, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        var publication = new BroadcastPublication { Kind = kind, Id = id, Payload = payload };
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                if (await log.AppendAsync(publication, follower.Head, cancellationToken).ConfigureAwait(false) is { } entry)
                    follower.Receive(entry);
                return;
            }
            catch (StoreUnavailableException) when (time.GetElapsedTime(begun) < options.Value.DurableTimeout)
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
