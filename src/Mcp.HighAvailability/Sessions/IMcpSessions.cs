using System.Text.Json.Nodes;
using ModelContextProtocol;

namespace Mcp.HighAvailability;

/// <summary>Reaches single sessions by id, wherever in the cluster they are. Inject it anywhere.</summary>
/// <remarks>
/// <para>A call finds the session's owner, takes the session over if the owner is lost, and sends there, as the owner's own <c>McpServer</c> does. A
/// <c>McpServer</c> that is kept beyond its call works only as long as its replica owns the session.</para>
/// <para>To tell all sessions something, use <see cref="IClusterNotifier"/>, which costs one write whatever their number.</para>
/// </remarks>
public interface IMcpSessions
{
    /// <summary>Sends a notification to the client of a session: on its newest GET stream, or later, when it opens one.</summary>
    /// <param name="sessionId">Id of the session, for example <c>McpServer.SessionId</c>.</param>
    /// <param name="method">Any method, for example <c>notifications/acme/price</c>.</param>
    /// <param name="parameters">A JSON object, or nothing.</param>
    /// <param name="cancellationToken">Gives up waiting; the notification may be sent all the same.</param>
    /// <returns><see langword="true"/>: it is in the session's journal. <see langword="false"/>: the session is unknown or has ended.</returns>
    /// <exception cref="Storage.StoreUnavailableException">
    /// The owner or the store could not be reached for <see cref="HighAvailabilityOptions.HoldTime"/>. Nothing was sent.
    /// </exception>
    /// <exception cref="IOException">The owner was lost meanwhile. The notification may have been sent.</exception>
    ValueTask<bool> NotifyAsync(string sessionId, string method, JsonNode? parameters = null, CancellationToken cancellationToken = default);

    /// <summary>Sends a request to the client of a session and waits for its result.</summary>
    /// <param name="sessionId">Id of the session.</param>
    /// <param name="method">Any method that the client knows, for example <c>roots/list</c>.</param>
    /// <param name="parameters">A JSON object, or nothing.</param>
    /// <param name="cancellationToken">Gives up waiting. Pass one: a client may take as long as it likes.</param>
    /// <returns>The result.</returns>
    /// <exception cref="McpException">The client answered with an error, has no GET stream open, or the session is unknown or has ended.</exception>
    /// <exception cref="Storage.StoreUnavailableException">As for <see cref="NotifyAsync"/>.</exception>
    /// <exception cref="IOException">The owner was lost meanwhile. The client may have had the request.</exception>
    ValueTask<JsonNode?> RequestAsync(string sessionId, string method, JsonNode? parameters = null, CancellationToken cancellationToken = default);

    /// <summary>Ids of the sessions that have subscribed to a resource, in no order.</summary>
    /// <remarks>Asks every replica. A session whose owner was lost a moment ago is missing until another replica has taken it over.</remarks>
    /// <param name="uri">The URI, as the clients have sent it.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="IOException">A replica that is alive did not answer.</exception>
    ValueTask<IReadOnlyList<string>> FindSubscribersAsync(string uri, CancellationToken cancellationToken = default);
}
