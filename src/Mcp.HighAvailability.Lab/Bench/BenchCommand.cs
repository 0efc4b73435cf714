using System.CommandLine;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary><c>bench</c>: what high availability costs and how fast it is, measured side by side on this machine.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var rounds = new Option<int>("--rounds") { Description = "Rounds; in each every subject has its turn.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<double>("--seconds") { Description = "Length of one turn.", DefaultValueFactory = _ => 2 };
        var kills = new Option<int>("--kills") { Description = "How often the owner of a session is killed.", DefaultValueFactory = _ => 50 };
        var sessions = new Option<int>("--sessions") { Description = "Idle sessions whose memory is measured.", DefaultValueFactory = _ => 5_000 };
        var only = new Option<string?>("--only") { Description = $"Measure only some of {string.Join(',', BenchOptions.Parts)}.", HelpName = "LIST" };
        var other = new Option<string?>("--other") { Description = "Folder of another build of Lab, whose server is measured as (o) beside (c).", HelpName = "FOLDER" };
        var json = new Option<FileInfo?>("--json") { Description = "Write everything to this file.", HelpName = "FILE" };

        Positive(rounds, value => value > 0);
        Positive(seconds, value => value > 0);
        Positive(kills, value => value > 0);
        Positive(sessions, value => value > 0);
        only.Validators.Add(result =>
        {
            if (Split(result.Tokens.SingleOrDefault()?.Value).FirstOrDefault(part => !BenchOptions.Parts.Contains(part)) is { } unknown)
                result.AddError($"--only knows {string.Join(", ", BenchOptions.Parts)}, not '{unknown}'.");
        });

        var command = new Command("bench", "Measures throughput, processor time, memory and failover; starts and ends all it needs.")
        {
            rounds, seconds, kills, sessions, only, other, json,
        };
        command.SetAction((result, cancellationToken) => BenchRun.RunAsync(
            new BenchOptions(
                result.GetValue(rounds),
                TimeSpan.FromSeconds(result.GetValue(seconds)),
                result.GetValue(kills),
                result.GetValue(sessions),
                new HashSet<string>(result.GetValue(only) is { } list ? Split(list) : BenchOptions.Parts),
                result.GetValue(other) is { } folder ? OtherBuild.In(folder) : null,
                result.GetValue(json)?.FullName),
            cancellationToken));
        return command;
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void Positive<T>(Option<T> option, Func<T, bool> isPositive) where T : IParsable<T> => option.Validators.Add(result =>
    {
        if (T.TryParse(result.Tokens.SingleOrDefault()?.Value, System.Globalization.CultureInfo.InvariantCulture, out var value) && !isPositive(value))
            result.AddError($"{option.Name} must be more than 0.");
    });
}

/// <summary>What <c>bench</c> was asked for.</summary>
/// <param name="Rounds">Rounds of load.</param>
/// <param name="Duration">Length of one turn of one subject.</param>
/// <param name="Kills">Kills of an owner.</param>
/// <param name="Sessions">Idle sessions.</param>
/// <param name="Only">Which of <see cref="Parts"/> to measure.</param>
/// <param name="Other">Another build to measure beside this one; <see langword="null"/>: none.</param>
/// <param name="JsonFile">Where the report goes; <see langword="null"/>: nowhere.</param>
internal sealed record BenchOptions(int Rounds, TimeSpan Duration, int Kills, int Sessions, IReadOnlySet<string> Only, OtherBuild? Other, string? JsonFile)
{
    /// <summary>Everything that can be measured: the subjects under load, and the other figures.</summary>
    public static IReadOnlyList<string> Parts { get; } = ["a", "b", "c", "n", "t", "o", "d", "e", "e3", "redis", "memory", "failover"];

    /// <summary>Where its processes write.</summary>
    public string Folder { get; } = Path.GetFullPath(Path.Combine(".lab", "bench"));

    /// <summary>The Redis program; without it there is nothing to measure.</summary>
    public static void CheckMachine()
    {
        if (!ProcessCpu.IsSupported)
            throw new LabException("bench reads processor times from /proc and runs on Linux only.");
        if (RedisServer.Executable is null)
            throw new LabException("bench needs redis-server on PATH: install it.");
    }
}
