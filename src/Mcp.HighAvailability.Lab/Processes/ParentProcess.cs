using System.Runtime.InteropServices;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>The process that started Lab.</summary>
internal static class ParentProcess
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>A token that ends with <paramref name="cancellationToken"/> and also when the parent is gone, however it ended.</summary>
    public static CancellationTokenSource EndingWith(CancellationToken cancellationToken)
    {
        var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (!OperatingSystem.IsWindows())
            _ = WatchAsync(ending);
        return ending;
    }

    private static async Task WatchAsync(CancellationTokenSource ending)
    {
        // An orphan gets another parent.
        var parent = GetParent();
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (GetParent() == parent)
                await timer.WaitForNextTickAsync(ending.Token);
            await ending.CancelAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // Lab ended first.
        }
    }

    [DllImport("libc", EntryPoint = "getppid")]
    private static extern int GetParent();
}
