using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>All clients of a run: opens their sessions, lets them work until told to finish, and reads what is left at the end.</summary>
/// <param name="route">Where the clients' requests may go: one endpoint, or several that stand for one another (see <see cref="Route"/>).</param>
internal sealed class Fleet(FleetOptions options, IReadOnlyList<Uri> route, HistoryLog history) : IAsyncDisposable
{
    private const int SessionsPerHandle = 10;
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(30);
    private static readonly string[] Revisions = ["2025-11-25", "2025-11-25", "2025-06-18", "2025-11-25", "2025-03-26"];

    private readonly SocketsHttpHandler _http = new() { UseCookies = false, UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) };
    private readonly CancellationTokenSource _stop = new();
    private readonly List<FleetSession> _sessions = [];
    private readonly CallNumbers _numbers = new();
    private IWorkload? _workload;
    private SharedState? _shared;
    private TypeScriptProcess? _typeScript;
    private TaskFleet? _tasks;
    private Task _working = Task.CompletedTask;

    /// <summary>Ids of all sessions.</summary>
    public IReadOnlyList<string> Sessions => [.. _sessions.Select(session => session.Id)];

    /// <summary>Facts for the checker, available after the start.</summary>
    public CheckOptions ToCheck(bool direct) => new(options.CallTimeout, direct, _workload?.Names ?? []) 
    {
        FinalReadings = _workload?.KeepsState == true,
        HasTasks = _tasks is not null,
        HasDeliveryLog = options.HasDeliveryLog,
    };

    /// <summary>Opens all sessions and starts their clients.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _workload = await WorkloadAsync(cancellationToken);
        for (var number = 0; number < options.Sessions; number++)
        {
            var revision = Revisions[number % Revisions.Length];
            var observer = new ClientObserver(history);
            var client = await CSharpClient.ConnectAsync(
                route[0], new Route(route, Seed(number), history, _http), revision, observer, question =>
                    Question.Thinking(question, options.Seed), cancellationToken);
            Add(client, observer, "C#", revision);
        }

        await AddTypeScriptAsync(cancellationToken);
        await Task.WhenAll(_sessions.Select(session => session.OpenAsync())).WaitAsync(cancellationToken);
        if (options.HasTasks)
        {
            _tasks = new TaskFleet(options, route, history, _http);
            _tasks.Start(_stop.Token);
        }

        _working = Task.WhenAll(_sessions.Select(session => session.WorkAsync(_stop.Token)));
    }

    /// <summary>Begins no more calls, lets open ones end, reads the final state of every session, and lets the streams run dry.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _working.WaitAsync(cancellationToken);
        if (_tasks is not null)
            await _tasks.FinishAsync(cancellationToken);
        if (_workload is not null && _sessions.Count > 0)
        {
            foreach (var planned in _workload.Each(_sessions[0].Context))
                await _sessions[0].CallAsync(planned).WaitAsync(cancellationToken);
        }

        if (_workload?.KeepsState != true)
            return;

        await Task.WhenAll(_sessions.Select(session => session.ReadAsync())).WaitAsync(cancellationToken);
        foreach (var handle in _shared?.Handles ?? [])
        {
            var notes = await _sessions[0].CallAsync(SampleWorkload.ListNotes(handle)).WaitAsync(cancellationToken);
            var counter = await _sessions[0].CallAsync(SampleWorkload.Count(handle)).WaitAsync(cancellationToken);
            if (StateResult.Notes(notes) is { } all && StateResult.Count(counter) is { } count)
                history.Add(at => new SharedReading(at, handle.Id, all, count));
        }

        await DrainAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _working.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_sessions.Select(session => session.DisposeAsync().AsTask())).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_typeScript is not null)
            await _typeScript.DisposeAsync();
        _shared?.Dispose();
        _tasks?.Dispose();
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task<IWorkload> WorkloadAsync(CancellationToken cancellationToken)
    {
        if (options.WorkloadFile is { } path)
        {
            var tools = WorkloadFile.Read(path);
            return options.HasDeliveryLog || !tools.Any(tool => tool.Once)
                ? new FileWorkload(tools)
                : throw new LabException($"{path}: once needs the server's delivery log, which is not here with --server; use --project, or leave once out.");
        }

        _shared = new SharedState(history, () => new HttpClient(new Route(route, options.Seed, history, _http), disposeHandler: false), route[0]);
        await _shared.OpenAsync(Math.Max(1, (options.Sessions + options.TypeScript) / SessionsPerHandle), cancellationToken);
        return new SampleWorkload(_shared);
    }

    private async Task AddTypeScriptAsync(CancellationToken cancellationToken)
    {
        if (options.TypeScript == 0)
            return;
        _typeScript = TypeScriptProcess.Start(history);
        for (var added = 0; added < options.TypeScript; added++)
        {
            var number = _sessions.Count;
            var observer = new ClientObserver(history);
            var client = await TypeScriptClient.ConnectAsync(
                _typeScript, number, route, Seed(number), observer, question => Question.Thinking(question, options.Seed), cancellationToken);
            Add(client, observer, "TypeScript", client.Revision);
        }
    }

    private void Add(FleetClient client, ClientObserver observer, string kind, string revision)
    {
        history.Add(at => new SessionOpened(at, client.Session, kind, revision));
        var number = _sessions.Count;
        var context = new SessionContext(number, client.Session, new Random(Seed(number)), options.Seed);
        _sessions.Add(new FleetSession(client, observer, context, _workload!, _shared, options, history, _numbers));
    }

    // HashCode.Combine is another one in every process.
    private int Seed(int number) => unchecked((options.Seed * 7919) + number);

    // Streams keep their order: who has heard the last announcement, and the update that follows it, has heard all before it.
    private async Task DrainAsync(CancellationToken cancellationToken)
    {
        var last = SampleWorkload.Announce(_sessions[0].Context);
        var until = history.Now + EndTimeout;
        foreach (var session in _sessions)
            session.Observer.HasHeardUpdate = false;
        if ((await _sessions[0].CallAsync(last)).Kind != OutcomeKind.Result)
            return;
        while (history.Now < until && !_sessions.TrueForAll(session => HasHeard(session, last.Expected.Announcement!)))
            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken);
    }

    private static bool HasHeard(FleetSession session, string announcement) =>
        (SampleWorkload.Level(session.Context.Number) == "error" || session.Observer.LastAnnouncement == announcement)
        && (!SampleWorkload.Subscribes(session.Context.Number) || session.Observer.HasHeardUpdate);
}

/// <summary>Numbers calls through the whole run.</summary>
internal sealed class CallNumbers
{
    private long _last;

    public long Next() => Interlocked.Increment(ref _last);
}
