using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Server;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>One run of <c>bench</c>: the parts one after the other, so that none disturbs another.</summary>
internal static class BenchRun
{
    /// <returns>The exit code. A figure that falls short is a result and no failure.</returns>
    public static async Task<int> RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        BenchOptions.CheckMachine();
        if (Directory.Exists(options.Folder))
            Directory.Delete(options.Folder, recursive: true);
        if (Machine.BuildConfiguration == "Debug")
            Say("This is a Debug build: its figures say little. Run it with -c Release.");

        var started = DateTimeOffset.Now;
        var clock = Stopwatch.StartNew();
        var machine = await Machine.DescribeAsync(cancellationToken);
        var subjects = BenchOptions.Parts.Where(part => part is "a" or "b" or "c" or "n" or "t" or "d" or "e" or "e3" || part == "o" && options.Other is not null).Where(options.Only.Contains).ToList();
        var load = subjects.Count > 0 ? await new LoadRounds(options, Say).RunAsync(subjects, cancellationToken) : [];

        RedisReport? redis = null;
        if (Begin("redis"))
            redis = await RedisCommands.MeasureAsync(options, cancellationToken);

        var memory = new Dictionary<ServerKind, MemoryReport>();
        if (Begin("memory"))
        {
            foreach (var kind in (ServerKind[])[ServerKind.Sdk, ServerKind.Ha])
                memory[kind] = await IdleMemory.MeasureAsync(options, kind, cancellationToken);
        }

        FailoverReport? failover = null;
        if (Begin("failover"))
            failover = await new Failover(options, Say).RunAsync(cancellationToken);

        var report = new BenchReport
        {
            Started = started,
            ElapsedSeconds = clock.Elapsed.TotalSeconds,
            Machine = machine,
            Rounds = options.Rounds,
            SecondsPerTurn = options.Duration.TotalSeconds,
            Load = load,
            Redis = redis,
            Memory = memory,
            Failover = failover,
        };
        if (options.JsonFile is { } file)
            report.WriteTo(file);
        BenchTable.Write(report, Wide());
        return 0;

        bool Begin(string part)
        {
            if (!options.Only.Contains(part))
                return false;
            Say($"measuring {part}");
            return true;
        }
    }

    // What goes on is no part of the result.
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
