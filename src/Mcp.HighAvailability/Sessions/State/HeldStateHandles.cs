using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// The handle store for calls: while it is away they wait, as requests wait for an owner, up to <see cref="HighAvailabilityOptions.HoldTime"/>.
/// Every step may be repeated: a commit that was written and whose answer was lost is recognised by its call.
/// </summary>
internal sealed class HeldStateHandles(IStateHandleStore store, IOptions<HighAvailabilityOptions> options, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <inheritdoc cref="IStateHandleStore.CreateAsync"/>
    public ValueTask CreateAsync(string handle, string user, CancellationToken cancellationToken) =>
        new(HoldAsync(async () =>
        {
            await store.CreateAsync(handle, user, cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken).AsTask());

    /// <inheritdoc cref="IStateHandleStore.ReadAsync"/>
    public ValueTask<StateHandleSnapshot?> ReadAsync(string handle, CancellationToken cancellationToken) =>
        HoldAsync(() => store.ReadAsync(handle, cancellationToken), cancellationToken);

    /// <inheritdoc cref="IStateHandleStore.CommitAsync"/>
    public ValueTask<StateHandleCommit> CommitAsync(
        StateHandleTransaction handle, string call, ReadOnlyMemory<byte> response, CancellationToken cancellationToken) =>
        HoldAsync(() => store.CommitAsync(handle.Handle, handle.Version, handle.Writes, call, response, cancellationToken), cancellationToken);

    private async ValueTask<T> HoldAsync<T>(Func<ValueTask<T>> step, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await step().ConfigureAwait(false);
            }
            catch (StoreUnavailableException) when (time.GetElapsedTime(since) < options.Value.HoldTime)
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
