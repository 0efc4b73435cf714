using System.Globalization;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Sends the live page to all viewers. It is rendered once per second for all of them, and not at all without viewers.</summary>
/// <remarks>A viewer that reads slowly gets the newest frame when it is ready for one, and costs the others nothing.</remarks>
internal sealed partial class LiveFrames(Func<byte[]> render, TimeProvider time, CancellationToken stopping, ILogger logger)
{
    /// <summary>Viewers at the same time; further ones are told to come back.</summary>
    public const int MaxViewers = 100;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private TaskCompletionSource<byte[]> _next = NewFrame();
    private int _viewers;
    private bool _runs;

    public int Viewers => Volatile.Read(ref _viewers);

    public async Task ServeAsync(HttpContext context)
    {
        try
        {
            if (Interlocked.Increment(ref _viewers) > MaxViewers)
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.Response.Headers.RetryAfter = RetryAfter.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                return;
            }

            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            await context.Response.StartAsync(context.RequestAborted);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            while (!end.IsCancellationRequested)
            {
                var frame = await Next().WaitAsync(end.Token);
                await context.Response.Body.WriteAsync(frame, end.Token);
                await context.Response.Body.FlushAsync(end.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The viewer has gone, or this process ends.
        }
        finally
        {
            Interlocked.Decrement(ref _viewers);
        }
    }

    private Task<byte[]> Next()
    {
        lock (_gate)
        {
            if (!_runs)
            {
                _runs = true;
                _ = RunAsync();
            }

            return _next.Task;
        }
    }

    private async Task RunAsync()
    {
        while (true)
        {
            await Task.Delay(Interval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            lock (_gate)
            {
                if (Viewers == 0 || stopping.IsCancellationRequested)
                {
                    _runs = false;
                    return;
                }
            }

            try
            {
                var frame = render();
                TaskCompletionSource<byte[]> ready;
                lock (_gate)
                    (ready, _next) = (_next, NewFrame());
                ready.SetResult(frame);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        }
    }

    private static TaskCompletionSource<byte[]> NewFrame() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Error, Message = "The cluster page could not be rendered. It is tried again within a second.")]
    private partial void LogFailed(Exception exception);
}
