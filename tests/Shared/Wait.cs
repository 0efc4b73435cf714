using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>Waits for a state, never for a time.</summary>
public static class Wait
{
    /// <summary>What nothing in a test takes, also on a machine that is busy with other things. No measure of anything: it ends a test that would hang.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static Task UntilAsync(Func<bool> condition, string what, TimeSpan? limit = null) =>
        UntilAsync(() => ValueTask.FromResult(condition()), what, limit);

    public static async Task UntilAsync(Func<ValueTask<bool>> condition, string what, TimeSpan? limit = null)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > (limit ?? Limit))
                throw new TimeoutException($"Waited {waited.Elapsed.TotalSeconds:0} s in vain for: {what}");
            await Task.Delay(10);
        }
    }
}
