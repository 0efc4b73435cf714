using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Clients;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>Clients of revision 2026-07-28 that call tools as tasks, one after the other, until told to finish.</summary>
internal sealed class TaskFleet : IDisposable
{
    private const int SessionsPerClient = 10;
    private const int MaxClients = 10;

    private readonly HistoryLog _history;
    private readonly FleetOptions _options;
    private readonly HttpClient _http;
    private readonly TaskHttp _tasks;
    private readonly CancellationTokenSource _over = new();
    private readonly List<Task> _working = [];
    private long _number;

    public TaskFleet(FleetOptions options, IReadOnlyList<Uri> route, HistoryLog history, HttpMessageHandler http)
    {
        (_options, _history) = (options, history);
        _http = new HttpClient(new Route(route, options.Seed + 1, history, http), disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        _tasks = new TaskHttp(_http, route[0]);
    }

    /// <summary>Lets the clients work.</summary>
    public void Start(CancellationToken stop)
    {
        var clients = Math.Clamp((_options.Sessions + _options.TypeScript) / SessionsPerClient, 1, MaxClients);
        for (var client = 0; client < clients; client++)
            _working.Add(WorkAsync(new Random(unchecked((_options.Seed * 31) + client)), stop));
    }

    /// <summary>Waits until the tasks under way have ended, and has one more of each kind: a short run may have come to none.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(_working).WaitAsync(cancellationToken);
        await Task.WhenAll(
            RunAsync(number => PlannedTask.Report($"last-{number}", 2, listens: true, cancels: false)),
            RunAsync(number => PlannedTask.Report($"last-{number}", 30, listens: true, cancels: true)),
            RunAsync(number => PlannedTask.Deliver($"task-parcel-{number}", 0.5, listens: false))).WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        _over.Cancel();
        _http.Dispose();
        _over.Dispose();
    }

    private async Task WorkAsync(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var (dice, listens, length) = (random.NextDouble(), random.Next(2) == 0, random.NextDouble());
            await RunAsync(number => dice switch
            {
                < 0.5 => PlannedTask.Report($"report-{number}", 3 + (int)(length * 5), listens, cancels: false),
                < 0.65 => PlannedTask.Report($"report-{number}", 30, listens, cancels: true),
                _ => PlannedTask.Deliver($"task-parcel-{number}", Math.Round(0.5 + (length * 3), 2), listens),
            });
        }
    }

    private Task RunAsync(Func<long, PlannedTask> plan)
    {
        var number = Interlocked.Increment(ref _number);
        return new TaskWorker(_tasks, _history, number, plan(number), _options.CallTimeout).RunAsync(_over.Token);
    }
}
