using System.Collections;

namespace Mcp.HighAvailability.Storage;

/// <summary>A change of a session's owner.</summary>
/// <param name="Epoch">The epoch that began with it.</param>
/// <param name="From">Replica that had the session before; empty when that is not known.</param>
/// <param name="To">Replica that has taken it over.</param>
/// <param name="Reason">Why; one of <see cref="TakeOverReasons"/>.</param>
/// <param name="Time">When, by the store's clock (UTC).</param>
/// <param name="Took">From the decision to take over until the session served. Comes with the new owner's next commit; <see langword="null"/> before.</param>
public sealed record SessionHop(long Epoch, string From, string To, string Reason, DateTimeOffset Time, TimeSpan? Took = null);

/// <summary>The last changes of a session's owner, oldest first.</summary>
public sealed class SessionHops : IReadOnlyList<SessionHop>, IEquatable<SessionHops>
{
    /// <summary>How many are kept.</summary>
    public const int MaxCount = 20;

    private readonly SessionHop[] _hops;

    /// <summary>Keeps the last ones.</summary>
    public SessionHops(IEnumerable<SessionHop> hops) => _hops = [.. hops.TakeLast(MaxCount)];

    /// <summary>A session that has had one owner.</summary>
    public static SessionHops None { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _hops.Length;

    /// <inheritdoc/>
    public SessionHop this[int index] => _hops[index];

    /// <summary>Returns a copy with one more change.</summary>
    public SessionHops With(SessionHop hop) => new([.. _hops, hop]);

    /// <summary>Returns a copy with the duration of the last change, if that began the epoch.</summary>
    public SessionHops With(long epoch, TimeSpan took) =>
        _hops is [.., var last] && last.Epoch == epoch ? new([.. _hops[..^1], last with { Took = took }]) : this;

    /// <summary>How many owners were lost since an epoch had begun. A hand-over is no loss.</summary>
    internal int LostSince(long epoch) => _hops.Count(hop => hop.Epoch > epoch && hop.Reason == TakeOverReasons.OwnerLost);

    /// <summary>How many of these replicas were lost as owners.</summary>
    internal int LostOf(IReadOnlyList<string> replicas) =>
        replicas.Count(replica => _hops.Any(hop => hop.From == replica && hop.Reason == TakeOverReasons.OwnerLost));

    /// <inheritdoc/>
    public bool Equals(SessionHops? other) => other is not null && _hops.SequenceEqual(other._hops);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SessionHops);

    /// <inheritdoc/>
    public override int GetHashCode() => _hops is [.., var last] ? last.GetHashCode() : 0;

    /// <inheritdoc/>
    public IEnumerator<SessionHop> GetEnumerator() => ((IEnumerable<SessionHop>)_hops).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _hops.GetEnumerator();
}
