using System.Text;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>The holder of a lease in the store: a state handle that no client can name, with the holder's replica id as its one value.</summary>
/// <remarks>Invariant: the version grows with every change of the holder, by compare-and-set. Of two replicas that try, one wins.</remarks>
internal sealed class LeaseRecord(IStateHandleStore store, string name, string self)
{
    private const string Holder = "holder";
    private readonly string _handle = "service:" + name;

    /// <summary>The holder, empty if there is none, and the version.</summary>
    public async ValueTask<(string Holder, long Version)> ReadAsync(CancellationToken cancellationToken)
    {
        var snapshot = await store.ReadAsync(_handle, cancellationToken);
        if (snapshot is null)
        {
            await store.CreateAsync(_handle, "cluster", cancellationToken);
            snapshot = await store.ReadAsync(_handle, cancellationToken);
        }

        return snapshot is null ? ("", -1)
            : (snapshot.Values.TryGetValue(Holder, out var holder) ? Encoding.UTF8.GetString(holder.Span) : "", snapshot.Version);
    }

    /// <summary>Makes this replica the holder, if nothing has changed since a read. Returns the version that it has then; 0: something has.</summary>
    public async ValueTask<long> TryTakeAsync(long version, CancellationToken cancellationToken)
    {
        var call = $"{self}/{version}";
        return await CommitAsync(version, self, call, cancellationToken) is StateHandleCommit.Committed or StateHandleCommit.AlreadyApplied ? version + 1 : 0;
    }

    /// <summary>Gives the lease back.</summary>
    public async ValueTask ReleaseAsync(long version, CancellationToken cancellationToken) =>
        await CommitAsync(version, null, $"{self}/-{version}", cancellationToken);

    private ValueTask<StateHandleCommit> CommitAsync(long version, string? holder, string call, CancellationToken cancellationToken) => store.CommitAsync(
        _handle, version, [new(Holder, holder is null ? null : Encoding.UTF8.GetBytes(holder))], call, ReadOnlyMemory<byte>.Empty, cancellationToken);
}
