using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.Mutations;

namespace McpHa.Tests;

/// <summary>A checker that finds nothing proves something only if it finds what is broken on purpose: each safeguard in turn is switched off.</summary>
public sealed class MutationTests : IDisposable
{
    private const int FirstSeed = 5;
    private const int MaxRuns = 5;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lab-");

    /// <summary>Faults under which the safeguard is needed, as many as it may take (the run ends with the first finding), and what the checker then has to say.</summary>
    private static readonly Dictionary<string, (string Kinds, int Faults, string[] Found)> Needed = new()
    {
        // The balancer leaves a silent owner's stream for good, so what such an owner does afterwards is seen without one.
        ["Fence"] = ("pause --direct", 40, ["Lost", "Doubled", "OutOfOrder"]),
        ["DuplicateRecognition"] = ("kill,balancer", 25, ["Doubled"]),
        ["JournalBeforeSend"] = ("kill", 20, ["Lost", "Doubled", "OutOfOrder"]),
        ["Splice"] = ("kill", 10, ["Doubled"]),
        ["RerunPolicy"] = ("kill", 25, ["Doubled"]),
        ["ProgressRecognition"] = ("kill", 10, ["Doubled"]),
        ["QuestionRecognition"] = ("kill", 25, ["Doubled"]),
        ["StateCommit"] = ("kill", 3, ["Lost", "OutOfOrder"]),
        ["TaskFence"] = ("pause", 25, ["Doubled", "OutOfOrder"]),
        ["TaskCreation"] = ("kill", 5, ["Lost"]),
        ["TaskRerunPolicy"] = ("kill", 25, ["Doubled"]),
    };

    public static TheoryData<string> Safeguards => new(Mutation.Names);

    [Theory(Explicit = true)]
    [MemberData(nameof(Safeguards))]
    public async Task The_checker_finds_out_that_a_safeguard_is_switched_off(string safeguard)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        var (kinds, faults, expected) = Needed[safeguard];
        Assert.SkipWhen(kinds.Contains("--direct", StringComparison.Ordinal) && LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");

        // What is under way when a fault strikes is a matter of chance, also with the same seed: where nothing needed the safeguard, others are tried.
        int code;
        string output;
        string[] found;
        var seed = FirstSeed;
        do
        {
            var folder = _folder.CreateSubdirectory($"{seed}");
            var json = Path.Combine(folder.FullName, "chaos.json");
            (code, output) = await ChaosProcess.RunAsync(
                folder, ["--mutate", safeguard, "--faults-of", .. kinds.Split(' '), "--faults", $"{faults}", "--sessions", "30", "--seed", $"{seed}", "--json", json]);
            Assert.True(code is 0 or 1, $"chaos ended with {code}:\n{output}");
            found = [.. JsonNode.Parse(await File.ReadAllTextAsync(json))!["violations"]!.AsArray().Select(violation => (string)violation!["kind"]!)];
        }
        while (!found.Any(expected.Contains) && ++seed < FirstSeed + MaxRuns);

        Assert.True(found.Any(expected.Contains), $"In {MaxRuns} runs nothing of {string.Join(", ", expected)} was found; the last one ended with {code}:\n{output}");
    }

    [Theory]
    [InlineData("Fence", "Fence")]
    [InlineData("fence", "Fence")]
    [InlineData("journal-before-send", "JournalBeforeSend")]
    [InlineData("brakes", null)]
    public void A_safeguard_is_found_however_its_name_is_written(string given, string? name) => Assert.Equal(name, Mutation.Find(given));

    public void Dispose() => _folder.Delete(recursive: true);
}
