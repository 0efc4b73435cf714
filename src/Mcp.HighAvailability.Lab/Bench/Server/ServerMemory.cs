namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>Managed memory of the process that is measured.</summary>
/// <param name="Heap">Bytes on the managed heap.</param>
/// <param name="Allocated">Bytes allocated since the process started.</param>
internal sealed record ServerMemory(long Heap, long Allocated)
{
    public static ServerMemory Now() => new(GC.GetTotalMemory(forceFullCollection: false), GC.GetTotalAllocatedBytes());

    /// <summary>Memory in use.</summary>
    public static ServerMemory AfterCollection()
    {
        // What finalizers hold goes with the collection after the one that finds it.
        for (var n = 0; n < 2; n++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return new(GC.GetTotalMemory(forceFullCollection: true), GC.GetTotalAllocatedBytes());
    }
}
