using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Failures;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Server;
using Mcp.HighAvailability.Lab.Bench.Streams;
using Mcp.HighAvailability.Lab.Bench.Tasks;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>One run of <c>bench</c>: the parts one after the other, so that none disturbs another.</summary>
internal static class BenchRun
{
    /// <returns>The exit code. A figure that falls short is a result and no failure.</returns>
    public static async Task<int> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        options.CheckMachine();
        if (Directory.Exists(options.Folder))
            Directory.Delete(options.Folder, recursive: true);
        if (Machine.BuildConfiguration == "Debug")
            Say("This is a Debug build: its figures say little. Run it with -c Release.");

        var report = new BenchReport
        {
            Started = DateTimeOffset.Now,
            Machine = await Machine.DescribeAsync(cancellationToken),
            Rounds = options.Rounds,
            SecondsPerTurn = options.Duration.TotalSeconds,
        };
        var clock = Stopwatch.StartNew();
        if (options.Subjects is { Count: > 0 } subjects)
            report = report with { Load = await new LoadRounds(options, Say).RunAsync(subjects, cancellationToken) };
        if (Begin(options, BenchOptions.Memory))
        {
            var memory = new Dictionary<ServerKind, MemoryReport>();
            foreach (var kind in (ServerKind[])[ServerKind.Sdk, ServerKind.Ha])
                memory[kind] = await IdleMemory.MeasureAsync(options, kind, cancellationToken);
            report = report with { Memory = memory };
        }

        if (Begin(options, BenchOptions.TasksPart))
        {
            using var tasks = new TaskBench(options, Say);
            report = report with { Tasks = await tasks.RunAsync(cancellationToken) };
        }

        if (options.Only.Overlaps([BenchOptions.Kill, BenchOptions.Crowd, BenchOptions.Vanish, BenchOptions.StreamsPart]))
            report = await LoseAsync(options, report, cancellationToken);

        report = report with { ElapsedSeconds = clock.Elapsed.TotalSeconds };
        if (options.JsonFile is { } file)
            report.WriteTo(file);
        BenchTable.Write(report, Wide());
        return 0;
    }

    // One cluster for all of it, in which each lost replica is replaced.
    private static async Task<BenchReport> LoseAsync(BenchOptions options, BenchReport report, CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        var cluster = await SampleCluster.StartAsync(processes, cancellationToken);
        var losses = new Losses(cluster, options.Kills, Say);
        List<FailureReport> failures = [];
        if (Begin(options, BenchOptions.Kill))
            failures.Add(await losses.KillAsync(cancellationToken));
        if (Begin(options, BenchOptions.Crowd))
            failures.Add(await losses.CrowdAsync(cancellationToken));
        if (Begin(options, BenchOptions.Vanish))
            failures.Add(await losses.VanishAsync(cancellationToken));
        report = report with { Failures = failures };
        return Begin(options, BenchOptions.StreamsPart)
            ? report with { Streams = await new StreamRun(cluster, options, Say).RunAsync(cancellationToken) }
            : report;
    }

    private static bool Begin(BenchOptions options, string part)
    {
        if (!options.Only.Contains(part))
            return false;
        Say($"measuring {part}");
        return true;
    }

    // Progress goes to standard error: it is no part of the result.
    private static void Say(string line) => Console.Error.WriteLine(line);

    // Into a file or a pipe, a row stays on one line.
    private static IAnsiConsole Wide()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings());
        if (Console.IsOutputRedirected)
            console.Profile.Width = 200;
        return console;
    }
}
