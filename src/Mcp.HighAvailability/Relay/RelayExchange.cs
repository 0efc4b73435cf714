using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Relay;

/// <summary>One HTTP exchange of a client, as the relay sends it on.</summary>
public sealed record RelayExchange
{
    /// <summary><c>POST</c>, <c>GET</c> or <c>DELETE</c>.</summary>
    public required HttpMethod Method { get; init; }

    /// <summary>Path and query at the replica, e.g. <c>/mcp</c>.</summary>
    public required string PathAndQuery { get; init; }

    /// <summary>The whole request body; empty for GET and DELETE.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// Whether the request may be sent again after it may have arrived. True for everything within a session, where replicas
    /// recognise a repetition (<see cref="HaHeaders.Exchange"/>); false for the stateless revision, where they cannot.
    /// </summary>
    public required bool Repeatable { get; init; }

    /// <summary>Whether a request that is not <see cref="Repeatable"/> may be sent again all the same; asked when its replica was lost. Default: no.</summary>
    public Func<bool>? MayRepeat { get; init; }

    /// <summary>
    /// The request opens a stream that only listens (<c>subscriptions/listen</c>): it is sent again whenever the stream ends with its replica, as
    /// often as that happens, with the header <see cref="HaHeaders.Again"/>.
    /// </summary>
    public bool Listens { get; init; }

    /// <summary>How long the exchange is held while no replica can serve it, counted from each break anew.</summary>
    public TimeSpan HoldTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Name of the tool or method, for logs and metrics. Empty: not known.</summary>
    public string CallName { get; init; } = "";

    /// <summary>Replicas that may have begun to run it before it came here.</summary>
    internal IReadOnlyList<string> BegunAt { get; init; } = [];

    /// <summary>
    /// Whether the asker is itself a relay (<see cref="HaHeaders.Relay"/>), and so is told <see cref="HaHeaders.Cursor"/>. Only between replicas: a
    /// balancer tells its clients nothing.
    /// </summary>
    public bool ForRelay { get; init; }
}
