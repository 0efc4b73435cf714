using System.Diagnostics;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary><c>bench</c>, as short as it can be: that it measures everything, not how fast anything is.</summary>
public sealed class BenchTests
{
    [Fact]
    public async Task It_measures_every_figure_and_writes_them_all()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "bench runs on Linux only");
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");

        var folder = Directory.CreateTempSubdirectory("lab-");
        try
        {
            var file = Path.Combine(folder.FullName, "bench.json");
            var output = await RunAsync(folder.FullName, "--rounds", "1", "--seconds", "0.3", "--kills", "1", "--sessions", "100", "--json", file);
            var report = JsonNode.Parse(await File.ReadAllTextAsync(file))!;

            Assert.Equal(["a", "b", "c", "n", "t", "d", "e", "e3"], report["load"]!.AsArray().Select(subject => (string)subject!["key"]!));
            foreach (var subject in report["load"]!.AsArray())
            {
                foreach (var connections in (string[])["64", "1"])
                {
                    var median = subject!["connections"]![connections]!["median"]!;
                    Assert.All(["callsPerSecond", "p50Milliseconds", "p99Milliseconds"], name => Positive(median, name));
                    Assert.NotNull(median["serverMicrosecondsPerCall"]);
                    Assert.NotNull(median["proxyMicrosecondsPerCall"]);
                    Assert.NotNull(median["redisMicrosecondsPerCall"]);
                }
            }

            Assert.Superset(
                new HashSet<string> { "c/b 64", "c/n 64", "t/c 64", "d/b 64", "e/c 64", "e3/c 64", "c/b 1", "d/b 1", "e/c 1" },
                report["ratios"]!.AsArray().Select(ratio => $"{ratio!["name"]} {ratio["connections"]}").ToHashSet());
            // A quick echo writes nothing, so both may be zero.
            Assert.All(["sentPerCall", "processedPerCall"], name => Assert.True((double?)report["redis"]![name] >= 0, $"{name} is missing"));
            Positive(report["memory"]!["Ha"]!, "idleBytes");
            Positive(report["memory"]!["Ha"]!, "streamingBytes");
            Assert.Equal(1, (int)report["failover"]!["kills"]!);
            Assert.All(["p50Milliseconds", "maxMilliseconds"], name => Positive(report["failover"]!, name));
            Assert.Null(report["failover"]!["p99Milliseconds"]);
            Assert.Equal(8, report["targets"]!.AsArray().Count);
            Assert.NotNull(report["machine"]!["processor"]);
            Assert.Contains("Redis commands per echo", output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Positive(JsonNode parent, string name) => Assert.True((double?)parent[name] > 0, $"{name} is missing or not positive in {parent.ToJsonString()}");

    private static async Task<string> RunAsync(string folder, params string[] arguments)
    {
        using var lab = Process.Start(new ProcessStartInfo("dotnet", [LabCluster.LabAssembly(), "bench", .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(12));
        try
        {
            var error = lab.StandardError.ReadToEndAsync(limit.Token);
            var output = await lab.StandardOutput.ReadToEndAsync(limit.Token);
            await lab.WaitForExitAsync(limit.Token);
            Assert.True(lab.ExitCode == 0, $"bench ended with {lab.ExitCode}:\n{output}\n{await error}");
            return output;
        }
        finally
        {
            if (!lab.HasExited)
                lab.Kill();
        }
    }
}
