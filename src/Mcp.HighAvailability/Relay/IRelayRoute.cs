using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Relay;

/// <summary>Decides, attempt by attempt, which replica an exchange goes to. One instance per exchange, never called concurrently.</summary>
public interface IRelayRoute
{
    /// <summary>Chooses the next target; may wait (for a heartbeat, a take-over) until the token ends.</summary>
    /// <param name="previous">What became of the attempt before; <see langword="null"/> for the first.</param>
    /// <param name="cancellationToken">Ends when the client has gone or the hold time is over.</param>
    /// <returns><see langword="null"/>: no replica can serve this now.</returns>
    ValueTask<RelayTarget?> NextAsync(RelayFailure? previous, CancellationToken cancellationToken);

    /// <summary>
    /// Tells which replica owns the session, as the answering replica said (<see cref="HaHeaders.Owner"/>), and the session id of the response, if
    /// any. Called for every response but refusals (421, transient 503).
    /// </summary>
    void Learned(RelayTarget target, string? owner, string? sessionId);
}

/// <summary>Where an attempt goes.</summary>
/// <param name="ReplicaId">The replica.</param>
/// <param name="Address">Its base address; the path and query of the exchange are put behind it.</param>
/// <param name="Hop">Send <see cref="HaHeaders.Hop"/>: a replica forwards to its peer. Balancers do not.</param>
public sealed record RelayTarget(string ReplicaId, Uri Address, bool Hop)
{
    /// <summary>The target is this process: a request without an answer yet is left to the caller.</summary>
    internal bool IsHere { get; init; }
}

/// <summary>Why an attempt did not complete the exchange.</summary>
/// <param name="Target">Where it went.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Owner">On <see cref="RelayFailureKind.NotOwner"/>: the owner that the replica named, if it did.</param>
public sealed record RelayFailure(RelayTarget Target, RelayFailureKind Kind, string? Owner = null);

/// <summary>Kinds of failed attempts.</summary>
public enum RelayFailureKind
{
    /// <summary>No connection: nothing was sent.</summary>
    Refused,

    /// <summary>The connection broke after the request was (perhaps partly) sent.</summary>
    Broken,

    /// <summary>The replica directory gave the replica up while we waited for it.</summary>
    Lost,

    /// <summary>421: the replica does not own the session, or is not the replica that was meant.</summary>
    NotOwner,

    /// <summary>503 with <see cref="HaHeaders.Transient"/>.</summary>
    Unavailable,
}
