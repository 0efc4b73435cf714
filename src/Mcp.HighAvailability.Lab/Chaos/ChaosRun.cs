using System.Globalization;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.Cluster;
using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Report;
using Mcp.HighAvailability.Lab.Chaos.Workload;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos;

/// <summary>One run of <c>chaos</c>, from the checks to the report.</summary>
internal sealed class ChaosRun(ChaosOptions options, RunLog log)
{
    private static readonly TimeSpan FinishLimit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan InterruptedLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan NewsInterval = TimeSpan.FromSeconds(10);

    private readonly HistoryLog _history = new();
    private readonly List<string> _troubles = [];
    private CheckOptions? _toCheck;
    private FirstFinding? _first;
    private bool _interrupted;

    /// <summary>Runs until all faults are injected, the time is over, or <paramref name="cancellationToken"/> ends it early.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(ChaosOptions options, CancellationToken cancellationToken)
    {
        using var ending = options.EndWithParent ? ParentProcess.EndingWith(cancellationToken) : null;
        using var log = new RunLog(Path.Combine(options.Folder, "logs", "chaos.log"));
        return await new ChaosRun(options, log).RunAsync(ending?.Token ?? cancellationToken);
    }

    private async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        CheckMachine();
        Say($"seed {options.Seed}");
        try
        {
            var (faults, deliveries) = options.Server is null
                ? await BreakAsync(cancellationToken)
                : ([], await WatchAsync(options.Server, cancellationToken));
            return Judge(faults, deliveries);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Say("interrupted before the cluster and its sessions were there: nothing was checked");
            return ChaosCommand.NotRun;
        }
    }

    /// <summary>A cluster of our own, which is broken meanwhile.</summary>
    private async Task<(IReadOnlyList<FaultRecord> Faults, IReadOnlyList<string> Deliveries)> BreakAsync(CancellationToken cancellationToken)
    {
        var server = options.Project is null ? ServerProgram.Sample : await BuildAsync(options.Project, cancellationToken);
        var store = await LocalStore.FindAsync(Path.Combine(options.Folder, "logs"), Say, cancellationToken);
        Say($"Starting {options.Replicas} replicas {(options.Direct ? "behind nginx" : $"and {options.Balancers} balancers")}, with {store.Description}."
            + (options.Mutation is null ? "" : $" The safeguard {options.Mutation} is switched off."));
        await using var cluster = new ChaosCluster(options, server, store, log.Write);
        await cluster.StartAsync(cancellationToken);

        var loop = new FaultLoop(options, cluster, _history, () => _first is { IsEnough: true }, Tell);
        await DriveAsync(cluster.Route, loop.RunAsync, Deliveries, cancellationToken);
        return (loop.Records, Deliveries());

        IReadOnlyList<string> Deliveries() =>
            Directory.Exists(cluster.DeliveryLog) ? [.. Directory.GetFiles(cluster.DeliveryLog).SelectMany(File.ReadLines)] : [];
    }

    /// <summary>A server that this run did not start.</summary>
    private async Task<IReadOnlyList<string>> WatchAsync(Uri server, CancellationToken cancellationToken)
    {
        Say($"Only watching {server}: nothing is broken from here, that is up to you. Ctrl-C ends it.");
        await DriveAsync([server], token => Task.Delay(options.Duration!.Value, token), static () => [], cancellationToken);
        return [];
    }

    /// <summary>Lets the clients work while something goes on.</summary>
    private async Task DriveAsync(IReadOnlyList<Uri> route, Func<CancellationToken, Task> meanwhile, Func<IReadOnlyList<string>> deliveries,
        CancellationToken cancellationToken)
    {
        await using var fleet = new Fleet(
            new FleetOptions(options.Sessions, options.TypeScript, options.Rate, options.Seed) { WorkloadFile = options.Workload,
                HasDeliveryLog = options.Server is null }, route, _history);
        Say($"Opening {options.Sessions + options.TypeScript} sessions.");
        await fleet.StartAsync(cancellationToken);
        _toCheck = fleet.ToCheck(options.Direct);
        _first = new(_history, deliveries, _toCheck, expected: options.Mutation is not null, Say);
        Say($"{options.Sessions + options.TypeScript} sessions work.");

        using var newsEnd = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var news = Task.WhenAll(TellNewsAsync(newsEnd.Token), _first.LookAsync(newsEnd.Token));
        try
        {
            await meanwhile(cancellationToken);
        }
        catch (NotRecoveredException e)
        {
            _troubles.Add(e.Message);
            Say($"not recovered: {e.Message}");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _interrupted = true;
            Say("interrupted: what is known so far follows");
        }

        await newsEnd.CancelAsync();
        await news;
        await FinishAsync(fleet, cancellationToken);
    }

    private async Task FinishAsync(Fleet fleet, CancellationToken cancellationToken)
    {
        Say("Open calls end, and the clients read what is left.");
        using var limit = _interrupted ? new CancellationTokenSource() : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_interrupted ? InterruptedLimit : FinishLimit);
        try
        {
            await fleet.FinishAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _interrupted |= cancellationToken.IsCancellationRequested;
            if (!_interrupted)
                _troubles.Add($"The clients had not ended {FinishLimit.TotalMinutes:0} minutes after the last fault.");
        }
        catch (Exception e)
        {
            // Whatever it was: the history up to here is worth a look, and this is no run that held.
            log.Write($"{e}");
            _troubles.Add($"A client broke: {e.Message}");
        }
    }

    private int Judge(IReadOnlyList<FaultRecord> faults, IReadOnlyList<string> deliveries)
    {
        var events = _history.Snapshot();
        var verdict = Checker.Check(events, deliveries, _toCheck!);
        var report = ChaosReport.Of(options, _history, verdict, faults, _troubles, _interrupted);
        ChaosTable.Write(report);
        if (options.JsonFile is { } json)
            report.WriteTo(json);
        if (options.HtmlFile is { } html)
            ChaosPage.Write(html, report, events);
        return report.Holds ? _interrupted ? ChaosCommand.NotRun : ChaosCommand.Held : ChaosCommand.Broken;
    }

    private async Task<ServerProgram> BuildAsync(string project, CancellationToken cancellationToken)
    {
        Say($"Building {project}.");
        return await ServerProgram.BuildAsync(project, Path.Combine(options.Folder, "logs"), cancellationToken);
    }

    private void CheckMachine()
    {
        if (options.Server is not null)
            return;
        if (OperatingSystem.IsWindows())
            throw new LabException("chaos needs replicas as processes and signals, which Lab has on Linux and macOS only: use WSL, or --server.");
        if (RedisServer.Executable is null && options.Kinds.Any(FaultForms.HitsStore))
            throw new LabException(
                "Faults of the store need redis-server, because Garnet keeps its data in memory: install it, or leave redis-* out of --faults-of.");
        if (options.Direct && Nginx.Executable is null)
            throw new LabException("--direct needs nginx: install it (apt-get install nginx, brew install nginx), or leave out --direct.");
        if (options.Kinds.Contains(FaultKind.Balancer) && (options.Direct || options.Balancers < 2))
            throw new LabException("Faults of balancers need two of them: raise --balancers, or leave balancer out of --faults-of.");
    }

    private void Tell(FaultRecord fault) =>
        Say($"fault {fault.Number}{(options.Faults is { } count ? $" of {count}" : "")}: {fault.Text}   {News()}");

    private async Task TellNewsAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(NewsInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
                Say(News());
        }
        catch (OperationCanceledException)
        {
            // All is told.
        }
    }

    private string News()
    {
        var events = _history.Snapshot();
        var ended = events.OfType<CallEnded>().ToList();
        var errors = ended.Where(call => call.Outcome.Kind is not (OutcomeKind.Result or OutcomeKind.Cancelled)).CountBy(call => Counts.Name(call.Outcome));
        return string.Create(CultureInfo.InvariantCulture,
            $"({ended.Count:N0} calls, errors: {(errors.Any() ? string.Join(", ", errors.Select(error => $"{error.Value} {error.Key}")) : "none")})");
    }

    private void Say(string line)
    {
        var now = _history.Now;
        Console.Out.WriteLine($"{(int)now.TotalMinutes,3}:{now.Seconds:00}.{now.Milliseconds / 100} {line}");
        log.Write(line);
    }
}
