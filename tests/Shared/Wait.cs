using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>Waits for a state, never for a time.</summary>
public static class Wait
{
    public static Task UntilAsync(Func<bool> condition, string what, TimeSpan? limit = null) =>
        UntilAsync(() => ValueTask.FromResult(condition()), what, limit);

    public static async Task UntilAsync(Func<ValueTask<bool>> condition, string what, TimeSpan? limit = null)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > (limit ?? TimeSpan.FromSeconds(15)))
                throw new TimeoutException($"Waited {waited.Elapsed.TotalSeconds:0} s in vain for: {what}");
            await Task.Delay(10);
        }
    }
}
