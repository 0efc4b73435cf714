using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Storage;

/// <summary>The cluster-wide log of broadcasts. One append gives a broadcast its place, for all replicas.</summary>
/// <remarks>
/// <para>An append is one command, however many sessions and replicas there are. It also pushes the entry (<see cref="BroadcastEntry.ToBytes"/>) to the topic
/// <see cref="Topic"/> of the <see cref="Storage.IEventBus"/>. A push may get lost; readers notice a missing number and read.</para>
/// <para>
/// Invariant: a position is given to one entry only, and a later incarnation is larger, as far as clocks agree. A log begins a new incarnation when its
/// server process is another one than at the last append, when it is behind what its caller knows (a fail-over to a replica that lagged), and when it is
/// empty. In an empty log the numbers go on behind what the caller knows.
/// </para>
/// <para>The log keeps what <see cref="BroadcastOptions"/> say, and the ids of exactly these entries.</para>
/// </remarks>
public interface IBroadcastLog
{
    /// <summary>Topic of the event bus to which each entry is pushed.</summary>
    const string Topic = "broadcasts";

    /// <summary>Appends a broadcast, unless the log has one of that id.</summary>
    /// <param name="publication">What to append.</param>
    /// <param name="known">The newest position that the caller knows.</param>
    /// <param name="cancellationToken">Gives up waiting; the broadcast may have been appended.</param>
    /// <returns>The entry; <see langword="null"/>: the log has a broadcast of that id.</returns>
    /// <exception cref="Storage.StoreUnavailableException">Not known whether it was appended. Repeat it with the same id.</exception>
    ValueTask<BroadcastEntry?> AppendAsync(BroadcastPublication publication, BroadcastPosition known, CancellationToken cancellationToken = default);

    /// <summary>Reads the entries behind a position, in order; all that are kept when the log does not have the position.</summary>
    /// <param name="known">The <see cref="BroadcastPage.Head"/> of the last read, or the newest position that the caller has heard of since.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="Storage.StoreUnavailableException">The store cannot be reached.</exception>
    ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default);
}

/// <summary>Part of the broadcast log.</summary>
/// <param name="Head">The newest position; <see cref="BroadcastPosition.None"/>: there is no log.</param>
/// <param name="Entries">The entries, in order.</param>
public sealed record BroadcastPage(BroadcastPosition Head, IReadOnlyList<BroadcastEntry> Entries);
