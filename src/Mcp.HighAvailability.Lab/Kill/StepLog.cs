using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Kill;

/// <summary>Progress steps of one call in the order in which they reached its client. Thread-safe.</summary>
/// <param name="onStep">Called for each step.</param>
internal sealed class StepLog(Action<int> onStep)
{
    private readonly Lock _lock = new();
    private readonly List<int> _steps = [];
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Steps so far.</summary>
    public IReadOnlyList<int> Steps
    {
        get
        {
            lock (_lock)
                return [.. _steps];
        }
    }

    /// <summary>Takes in a message that has arrived.</summary>
    public void Receive(JsonObject message)
    {
        if ((string?)message["method"] != NotificationMethods.ProgressNotification)
            return;
        var step = (int)(double)message["params"]!["progress"]!;
        onStep(step);
        TaskCompletionSource next;
        lock (_lock)
        {
            _steps.Add(step);
            (next, _next) = (_next, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        next.SetResult();
    }

    /// <summary>Completes when a step has come, or when none came for the time-out.</summary>
    public async Task WhenAsync(int step, TimeSpan timeout, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next;
            lock (_lock)
            {
                if (_steps.Any(seen => seen >= step))
                    return;
                next = _next.Task;
            }

            try
            {
                await next.WaitAsync(timeout, cancellationToken);
            }
            catch (TimeoutException)
            {
                return;
            }
        }
    }
}
