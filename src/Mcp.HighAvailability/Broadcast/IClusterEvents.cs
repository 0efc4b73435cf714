namespace Mcp.HighAvailability;

/// <summary>Events of the application, to handlers on every replica. Inject it anywhere.</summary>
/// <remarks>
/// <para>An event is appended to the cluster's broadcast log, so all replicas handle all events in one order, each once, the publisher's own replica
/// included. A handler hears what is published after its replica has first read the log. A replica that starts later hears nothing of earlier events: load what
/// they tell of at the start.</para>
/// <para>A tool that publishes and is run again after the loss of its replica does not publish twice.</para>
/// <para>Events share the log's bounds (<see cref="Storage.BroadcastOptions"/>) with notifications: they are for changes, not for data.</para>
/// </remarks>
public interface IClusterEvents
{
    /// <summary>Publishes an event. Returns when the log has it; handlers run later.</summary>
    /// <param name="name">Name of the event: 1 to 58 characters of <c>[A-Za-z0-9-_.:/+=]</c>.</param>
    /// <param name="value">What handlers get, as JSON. At most <see cref="Storage.BroadcastOptions.MaxPayload"/> bytes.</param>
    /// <param name="cancellationToken">Gives up waiting; the event may have been published.</param>
    /// <exception cref="Storage.StoreUnavailableException">
    /// The store was away for <see cref="HighAvailabilityOptions.DurableTimeout"/>. The event may have been published.
    /// </exception>
    /// <exception cref="ArgumentException">The name is not allowed, or the value is too large.</exception>
    ValueTask PublishAsync<T>(string name, T value, CancellationToken cancellationToken = default);

    /// <summary>Calls a handler on this replica for each event of a name, one after the other.</summary>
    /// <param name="name">Name of the events.</param>
    /// <param name="handler">What it throws is logged and costs that event only.</param>
    /// <param name="missed">
    /// Called before the handler when events may be missing: this replica was cut off for longer than the log keeps events. Load anew what they tell of.
    /// </param>
    /// <returns>Dispose it to end the subscription; a call that runs goes on.</returns>
    IDisposable Subscribe<T>(string name, Func<T, ValueTask> handler, Func<ValueTask>? missed = null);
}
