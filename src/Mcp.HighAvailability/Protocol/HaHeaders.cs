namespace Mcp.HighAvailability.Protocol;

/// <summary>Headers that replicas and balancers exchange. None reaches a client through a relay, and none but <see cref="Key"/> is believed.</summary>
public static class HaHeaders
{
    /// <summary>Common prefix; a relay strips every such header in both directions before it adds its own. <see cref="Exchange"/> is the exception.</summary>
    public const string Prefix = "Mcp-Ha-";

    /// <summary>Request: a relay is asking (value <c>1</c>), so the answer may carry <see cref="Owner"/> and <see cref="Cursor"/>.</summary>
    public const string Relay = "Mcp-Ha-Relay";

    /// <summary>
    /// Request: names the client's exchange, the same however often it is sent. A POST that carries the id of an earlier one of its session is a
    /// repetition: it gets the earlier answer and does not run again. Relays put it on everything that they send on; any other load balancer
    /// that repeats POSTs sets it to an id of the request (nginx: <c>proxy_set_header Mcp-Ha-Exchange $request_id;</c>).
    /// </summary>
    /// <remarks>
    /// 16 to 128 characters of <c>[A-Za-z0-9._:+/=-]</c>, different for every request; anything else is ignored. It counts within one session (without
    /// one: within a state handle and its user), so a relay passes on what it receives, also from a client: a client can only repeat itself.
    /// </remarks>
    public const string Exchange = "Mcp-Ha-Exchange";

    /// <summary>
    /// Request: ids of replicas, separated by commas, that may have begun to run the exchange and did not answer. Response 503: the same, for the relay
    /// that asks. So a call that takes its server down is known for it, although the lost server had no time to write it down.
    /// </summary>
    public const string Begun = "Mcp-Ha-Begun";

    /// <summary>
    /// Request: id of a replica that was silent while it had this exchange. The receiver gives it up as well if its heartbeat is missing in the registry.
    /// </summary>
    public const string Silent = "Mcp-Ha-Silent";

    /// <summary>
    /// Request: forwarded by a peer; the value is the replica id that it is meant for. A replica that is not meant, or does not own
    /// the session, answers 421 and never forwards again.
    /// </summary>
    public const string Hop = "Mcp-Ha-Hop";

    /// <summary>
    /// Request: the key of the replica that the request goes to (<see cref="Storage.ReplicaInfo.HopKey"/>). It shows that a relay of this cluster sent the
    /// request, so its <c>X-Forwarded-*</c> headers are believed. Without the right key they are not.
    /// </summary>
    public const string Key = "Mcp-Ha-Key";

    /// <summary>
    /// Request between replicas: the key of the replica that the request goes to. It shows that a replica of this cluster made the request; relays pass
    /// no such header on.
    /// </summary>
    public const string Peer = "Mcp-Ha-Peer";

    /// <summary>
    /// Request: the client has the beginning of this listen stream already, from a replica that was lost (value <c>1</c>). It then begins with what
    /// may have been missed, and not with an acknowledgement.
    /// </summary>
    public const string Again = "Mcp-Ha-Again";

    /// <summary>Response: replica id of the session's owner.</summary>
    public const string Owner = "Mcp-Ha-Owner";

    /// <summary>Response: W3C <c>traceparent</c> of the session's own trace, when that is recorded.</summary>
    public const string Trace = "Mcp-Ha-Trace";

    /// <summary>Response of an SSE stream: the event id from which the stream can be resumed before its first event.</summary>
    public const string Cursor = "Mcp-Ha-Cursor";

    /// <summary>Response 503: the refusal passes by itself (draining, store away); ask again, here or elsewhere (value <c>1</c>).</summary>
    public const string Transient = "Mcp-Ha-Transient";
}
