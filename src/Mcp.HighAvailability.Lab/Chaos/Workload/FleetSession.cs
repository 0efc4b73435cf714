using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>One session and what its client does.</summary>
internal sealed class FleetSession(
    FleetClient client, ClientObserver observer, SessionContext context, IWorkload workload, SharedState? shared,
    FleetOptions options, HistoryLog history, CallNumbers numbers) : IAsyncDisposable
{
    private const int MaxInBackground = 3;
    private const int OneInSoMany = 10;

    private readonly List<Task> _background = [];

    public string Id => client.Session;

    public SessionContext Context => context;

    public ClientObserver Observer => observer;

    /// <summary>Does what the session does first.</summary>
    public async Task OpenAsync()
    {
        foreach (var planned in workload.Opening(context))
            await CallAsync(planned);
    }

    /// <summary>Works until told to stop; calls that are open then still end.</summary>
    public async Task WorkAsync(CancellationToken stop)
    {
        var watching = context.Number % OneInSoMany == 0 ? WatchAsync(stop) : Task.CompletedTask;
        while (!stop.IsCancellationRequested)
        {
            var planned = workload.Next(context);
            if (!planned.InBackground)
                await CallAsync(planned);
            else if (_background.Count(call => !call.IsCompleted) < MaxInBackground)
                InBackground(planned);
            // From half to one and a half of what keeps the fleet at its rate.
            var think = options.ThinkTime * (0.5 + context.Random.NextDouble());
            await Task.Delay(think, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll([watching, .. _background]);
    }

    /// <summary>Reads what the session holds at the end.</summary>
    public async Task ReadAsync()
    {
        var notes = await CallAsync(SampleWorkload.ListNotes(context));
        var counter = await CallAsync(SampleWorkload.Count(context));
        if (StateResult.Notes(notes) is { } all && StateResult.Count(counter) is { } count)
            history.Add(at => new FinalReading(at, Id, all, count));
    }

    /// <summary>Makes a call and writes it down.</summary>
    public async Task<CallOutcome> CallAsync(PlannedCall planned)
    {
        var call = numbers.Next();
        history.Add(at => new CallBegun(at, Id, call, planned.Name, planned.Parameters, planned.Expected));
        using var limit = new CancellationTokenSource((planned.Timeout ?? options.CallTimeout) + planned.Expected.RunsLike);
        using var givenUp = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
        if (planned.CancelAfter is { } timeout)
        {
            givenUp.Token.Register(() =>
            {
                if (!limit.IsCancellationRequested)
                    history.Add(at => new CallCancelled(at, Id, call));
            });
            givenUp.CancelAfter(timeout);
        }

        var outcome = await client.RequestAsync(call, planned.Method, planned.ToParameters(), givenUp.Token);
        if (outcome.Kind == OutcomeKind.Cancelled && limit.IsCancellationRequested)
            outcome = new(OutcomeKind.TimedOut);
        history.Add(at => new CallEnded(at, Id, call, outcome));
        if (planned.Shared is { } handle && StateResult.IsUnknownHandle(outcome))
            await ReplaceAsync(handle);
        return outcome;
    }

    public ValueTask DisposeAsync() => client.DisposeAsync();

    private async Task WatchAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && workload.Watch(context) is { } planned)
            await CallAsync(planned);
    }

    private void InBackground(PlannedCall planned)
    {
        _background.RemoveAll(call => call.IsCompletedSuccessfully);
        _background.Add(CallAsync(planned));
    }

    private async Task ReplaceAsync(SharedHandle handle)
    {
        try
        {
            using var limit = new CancellationTokenSource(options.CallTimeout);
            await shared!.ReplaceAsync(handle, limit.Token);
        }
        catch (Exception)
        {
            // Whatever it was, it is not this call's. The next call that finds the handle unknown tries again.
        }
    }
}
