using System.CommandLine;
using System.Globalization;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary><c>bench</c>: what high availability costs and how fast it is, measured side by side on this machine.</summary>
internal static class BenchCommand
{
    public const string Name = "bench";

    public static Command Create()
    {
        var rounds = new Option<int>("--rounds") { Description = "Rounds; in each, every subject has its turn.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<double>("--seconds") { Description = "Length of one turn.", DefaultValueFactory = _ => 1 };
        var kills = new Option<int>("--kills") { Description = "Kills of a replica with a call in flight; half as many fall silent, a fifth also has idle " +
            "streams.", DefaultValueFactory = _ => 12 };
        var sessions = new Option<int>("--sessions") { Description = "Idle sessions whose memory is measured.", DefaultValueFactory = _ => 2_000 };
        var streams = new Option<int>("--streams") { Description = "GET streams through one balancer.", DefaultValueFactory = _ => 1_000 };
        var only = new Option<string?>("--only") { Description = $"Measure some of {string.Join(',', BenchOptions.Parts)}. Default: " +
            $"{string.Join(',', BenchOptions.DefaultParts)}.", HelpName = "LIST" };
        var other = new Option<string?>("--other") { Description = "Folder of another build of Lab, whose replica is measured as 'other' beside 'replica'.",
            HelpName = "FOLDER" };
        var json = new Option<FileInfo?>("--json") { Description = "Write the report to this file.", HelpName = "FILE" };

        Positive(rounds);
        Positive(seconds);
        Positive(kills);
        Positive(sessions);
        Positive(streams);
        only.Validators.Add(result =>
        {
            var parts = Split(result.Tokens.SingleOrDefault()?.Value);
            if (parts.FirstOrDefault(part => !BenchOptions.Parts.Contains(part)) is { } unknown)
                result.AddError($"--only does not know '{unknown}'. Use some of {string.Join(", ", BenchOptions.Parts)}.");
            if (parts.Contains("other") && result.GetValue(other) is null)
                result.AddError("'other' needs the folder of another build. Name it with --other.");
        });

        var command = new Command(Name,
            "Measures throughput, processor time, memory and failover beside what else could be used; starts and ends all it needs.")
        {
            rounds, seconds, kills, sessions, streams, only, other, json,
        };
        command.SetAction((result, cancellationToken) =>
        {
            HashSet<string> parts = [.. result.GetValue(only) is { } list ? Split(list) : BenchOptions.DefaultParts];
            var otherBuild = result.GetValue(other) is { } folder ? OtherBuild.In(folder) : null;
            return BenchRun.RunAsync(
                new BenchOptions(
                    result.GetValue(rounds),
                    TimeSpan.FromSeconds(result.GetValue(seconds)),
                    result.GetValue(kills),
                    result.GetValue(sessions),
                    result.GetValue(streams),
                    parts,
                    otherBuild,
                    result.GetValue(json)?.FullName),
                cancellationToken);
        });
        return command;
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void Positive<T>(Option<T> option) where T : IParsable<T>, IComparable<T> => option.Validators.Add(result =>
    {
        if (T.TryParse(result.Tokens.SingleOrDefault()?.Value, CultureInfo.InvariantCulture, out var value) && value.CompareTo(default) <= 0)
            result.AddError($"{option.Name} must be more than 0.");
    });
}
