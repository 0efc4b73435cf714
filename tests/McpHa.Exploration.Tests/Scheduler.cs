namespace McpHa.Tests;

/// <summary>
/// Decides what happens next. Every step of a replica towards the store, the journal and the bus, and every step of a tool, waits here until it is
/// let go, one at a time.
/// </summary>
internal sealed class Scheduler
{
    private static readonly int Baseline = MeasureBaseline();

    private readonly List<Gate> _gates = [];
    private readonly HashSet<string> _dead = [];
    private readonly Dictionary<(string, string), int> _counts = [];

    /// <summary>A step that waits. Its name is the same in every run that has come here by the same choices.</summary>
    internal sealed class Gate(string replica, string what, int number)
    {
        public string Replica => replica;

        public string What => what;

        public string Name => $"{replica} {what} #{number}";

        public TaskCompletionSource Source { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Waits until the step may be done.</summary>
    public Task StepAsync(string replica, string what, CancellationToken cancellationToken = default)
    {
        Gate gate;
        lock (_gates)
        {
            var number = _counts[(replica, what)] = _counts.GetValueOrDefault((replica, what)) + 1;
            gate = new(replica, what, number);
            if (_dead.Contains(replica))
                return gate.Source.Task; // never comes about
            _gates.Add(gate);
        }

        if (cancellationToken.CanBeCanceled)
            cancellationToken.Register(static g => ((Gate)g!).Source.TrySetCanceled(), gate);
        return gate.Source.Task;
    }

    /// <summary>Steps that wait, once nothing else moves.</summary>
    public IReadOnlyList<Gate> Settled()
    {
        Settle();
        lock (_gates)
        {
            _gates.RemoveAll(g => g.Source.Task.IsCompleted);
            return [.. _gates.OrderBy(g => g.Name, StringComparer.Ordinal)];
        }
    }

    public void LetGo(Gate gate, Exception? failure = null)
    {
        lock (_gates)
            _gates.Remove(gate);
        if (failure is null)
            gate.Source.TrySetResult();
        else
            gate.Source.TrySetException(failure);
    }

    /// <summary>The replica's process is killed: none of its steps comes about any more.</summary>
    public void Kill(string replica)
    {
        lock (_gates)
        {
            _dead.Add(replica);
            _gates.RemoveAll(g => g.Replica == replica);
        }
    }

    /// <summary>Waits until the thread pool is idle: all work waits at a gate, for the clock or for the client.</summary>
    public static void Settle()
    {
        var spin = new SpinWait();
        for (var calm = 0; calm < 3;)
        {
            if (ThreadPool.PendingWorkItemCount == 0 && Busy() <= Baseline && ThreadPool.PendingWorkItemCount == 0)
            {
                calm++;
                Thread.SpinWait(50);
            }
            else
            {
                calm = 0;
                spin.SpinOnce(sleep1Threshold: -1);
            }
        }
    }

    private static int Busy()
    {
        ThreadPool.GetAvailableThreads(out var available, out _);
        ThreadPool.GetMaxThreads(out var most, out _);
        return most - available;
    }

    // What the test runner itself keeps.
    private static int MeasureBaseline()
    {
        var least = int.MaxValue;
        for (var n = 0; n < 200; n++)
        {
            least = Math.Min(least, Busy());
            Thread.Sleep(1);
        }

        return least;
    }
}
