using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// Looks tasks up in a store that may have lost its data: a task counts as unknown only when every owner has checked that the store has its tasks.
/// </summary>
internal sealed class TaskLookup(ReplicaDirectory directory, IOptions<HighAvailabilityOptions> options, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Asks the store for a task. Asks again while a task that it does not know may still be written back.</summary>
    /// <param name="ask">Asks the store; <see langword="null"/>: it does not know the task.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The task; <see langword="null"/>: there is none.</returns>
    /// <exception cref="StoreUnavailableException">The store is away, or it cannot be told whether there is such a task.</exception>
    public async ValueTask<TaskView?> FindAsync(Func<ValueTask<TaskView?>> ask, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            var before = directory.WrittenBack;
            if (await ask() is { } task)
                return task;
            if (await directory.IsWholeAsync(before, cancellationToken))
                return null;
            if (time.GetElapsedTime(begun) >= options.Value.DurableTimeout)
                throw new StoreUnavailableException("The store was restarted, replaced or emptied; replicas are still checking that it has their tasks.");
            await Task.Delay(Pause, time, cancellationToken);
        }
    }
}
