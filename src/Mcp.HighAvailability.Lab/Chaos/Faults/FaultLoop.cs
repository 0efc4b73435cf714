using Mcp.HighAvailability.Lab.Chaos.Cluster;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>Carries the plan out: one fault after the other, and as many at once as <see cref="FaultRules"/> allow.</summary>
internal sealed class FaultLoop(ChaosOptions options, ChaosCluster cluster, HistoryLog history, Func<bool> enough, Action<FaultRecord> began)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly FaultRules _rules = new(cluster);
    private readonly FaultActions _actions = new(cluster);
    private readonly List<FaultRecord> _records = [];
    private readonly List<Task> _running = [];

    /// <summary>Faults injected so far.</summary>
    public IReadOnlyList<FaultRecord> Records
    {
        get
        {
            lock (_records)
                return [.. _records];
        }
    }

    /// <summary>Injects until the time is over, the number is reached or it is enough, and completes when the cluster has recovered from the last.</summary>
    /// <exception cref="NotRecoveredException">It does not recover; no more faults follow.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var failing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await InjectAsync(failing);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The fault that failed says more, below.
        }
        finally
        {
            // Each puts right what it has done, also when it is cancelled.
            await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await (_running.FirstOrDefault(fault => fault.IsFaulted) ?? Task.WhenAll(_running));
        await States.UntilAsync(cluster.IsWholeAsync, "the cluster to be whole", cancellationToken);
        _actions.CheckStarts();
    }

    private async Task InjectAsync(CancellationTokenSource failing)
    {
        var plan = new FaultPlan(options.Seed, options.Kinds, options.Replicas, options.Balancers, options.Spacing).Faults();
        var begun = history.Now;
        var last = begun;
        foreach (var planned in options.Faults is { } count ? plan.Take(count) : plan)
        {
            var fault = planned;
            if (Remaining(last + fault.After) is { } spacing)
                await Task.Delay(spacing, failing.Token);

            var waitingSince = history.Now;
            while (!IsOver(begun) && !await _rules.TryBeginAsync(fault = await _rules.AimAsync(planned, failing.Token), failing.Token))
            {
                if (history.Now - waitingSince > 2 * States.Limit)
                    throw new NotRecoveredException(
                        $"After {2 * States.Limit.TotalSeconds:0} s the cluster is still not fit for fault {fault.Number}: {_actions.Describe(fault)}.");
                await Task.Delay(Poll, failing.Token);
            }

            if (IsOver(begun))
                return;
            last = history.Now;
            var running = RunAsync(fault, failing);
            _running.Add(running);
            if (fault.IsExclusive)
                await running;
        }
    }

    private bool IsOver(TimeSpan begun) => history.Now - begun >= options.Duration || enough();

    private TimeSpan? Remaining(TimeSpan until) => until > history.Now ? until - history.Now : null;

    private async Task RunAsync(PlannedFault fault, CancellationTokenSource failing)
    {
        try
        {
            var affected = await _actions.AffectedAsync(fault, failing.Token);
            var text = _actions.Describe(fault);
            var happened = history.Add(at => new FaultBegan(at, fault.Number, fault.Kind, text, affected, fault.Form is FaultForm.AllKilled));
            var record = new FaultRecord(fault.Number, fault.Kind, fault.Form, text, _actions.Targets(fault), happened.At);
            lock (_records)
                _records.Add(record);
            began(record);

            await _actions.RunAsync(fault, failing.Token);
            record.Ended = history.Add(at => new FaultEnded(at, fault.Number)).At;
        }
        catch (NotRecoveredException e)
        {
            await failing.CancelAsync();
            throw new NotRecoveredException($"Fault {fault.Number}, {_actions.Describe(fault)}: {e.Message}");
        }
        finally
        {
            _rules.End(fault);
        }
    }
}
