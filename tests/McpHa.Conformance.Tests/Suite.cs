using System.Text.Json;
using System.Text.RegularExpressions;

namespace McpHa.Tests.Conformance;

/// <summary>A run of the official conformance suite.</summary>
/// <param name="Package">The version of the suite.</param>
/// <param name="Arguments">What to run of it.</param>
/// <param name="MinPassed">Checks that pass at least: less would mean that the suite had not run as it should.</param>
internal sealed record Suite(string Package, string[] Arguments, int MinPassed)
{
    private const string Baseline = "expected-failures.yml";

    /// <summary>The released suite: active and pending scenarios.</summary>
    public static Suite Released { get; } = new("conformance-released", ["--suite", "all"], 45);

    /// <summary>Everything that revision 2025-11-25 requires, by the newest suite.</summary>
    public static Suite November2025 { get; } = new("conformance-next", ["--requirements", "2025-11-25"], 80);

    /// <summary>Everything that revision 2026-07-28 requires, by the newest suite.</summary>
    public static Suite July2026 { get; } = new("conformance-next", ["--requirements", "2026-07-28"], 150);

    // The suite gives a notification that a server should send 1.5 s, and warns.
    private static readonly string[] _quick =
        ["sep-2575-server-sends-prompts-list-changed-on-subscription", "sep-2575-server-sends-tools-list-changed-on-subscription"];

    /// <summary>The scenarios of the tasks extension, by the newest suite, which runs each by its name only.</summary>
    public static IReadOnlyList<Suite> Tasks { get; } =
    [
        Scenario("lifecycle", 9), Scenario("capability-negotiation", 5), Scenario("wire-fields", 4), Scenario("request-state-removal", 3), Scenario("mrtr-input", 4),
        Scenario("request-headers", 5), Scenario("dispatch-and-envelope", 9), Scenario("required-task-error", 3), Scenario("mrtr-composition", 2),
    ];

    /// <summary>Runs it; fails with the checks that failed.</summary>
    /// <param name="endpoint">The server.</param>
    /// <param name="isDisturbed">Replicas die meanwhile: what a server should do within 1.5 s may take longer. All else has to hold.</param>
    public async Task PassesAsync(Uri endpoint, bool isDisturbed)
    {
        Assert.SkipWhen(NodePrograms.Unavailable is not null, NodePrograms.Unavailable ?? "");
        var results = Directory.CreateTempSubdirectory("conformance-");
        try
        {
            var (exitCode, output) = await NodePrograms.RunAsync(
                $"{Package}/dist/index.js",
                ["server", "--url", endpoint.AbsoluteUri, .. Arguments, "--expected-failures", NodePrograms.PathOf(Baseline), "-o", results.FullName]);

            var total = Regex.Match(output, @"Total: (\d+) passed, (\d+) failed|Passed: (\d+)/\d+, 0 failed");
            var failures = Failures(results).ToList();
            var isLate = isDisturbed && failures.Count > 0 && failures.TrueForAll(static failure => _quick.Contains(failure.Id));
            Assert.True(
                (exitCode == 0 || isLate) && total.Success,
                $"{Package} {string.Join(' ', Arguments)} ended with {exitCode}:\n{string.Join('\n', failures.Select(failure => failure.Text))}\n{output}");
            Assert.InRange(int.Parse(total.Groups[1].Success ? total.Groups[1].Value : total.Groups[3].Value, System.Globalization.CultureInfo.InvariantCulture), MinPassed, int.MaxValue);
        }
        finally
        {
            results.Delete(recursive: true);
        }
    }

    private static Suite Scenario(string scenario, int checks) => new("conformance-next", ["--scenario", $"tasks-{scenario}"], checks);

    private static IEnumerable<(string Id, string Text)> Failures(DirectoryInfo results) =>
        from file in results.EnumerateFiles("checks.json", SearchOption.AllDirectories)
        from check in JsonDocument.Parse(File.ReadAllText(file.FullName)).RootElement.EnumerateArray()
        where check.GetProperty("status").GetString() is "FAILURE" or "WARNING"
        let id = check.GetProperty("id").GetString()!
        select (id, $"{file.Directory!.Name}: {id}: {(check.TryGetProperty("errorMessage", out var message) ? message : check)}");
}
