using System.Diagnostics;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Processes;

namespace McpHa.Tests;

/// <summary><c>bench</c>, as short as it can be: that it measures everything, not how fast anything is.</summary>
public sealed class BenchTests
{
    private static readonly string[] Subjects = ["sdk", "replica", "nginx", "yarp", "balancer", "sdk-ha", "cluster", "cluster-nginx"];

    [Fact]
    public async Task It_measures_every_figure_and_writes_them_all()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "bench runs on Linux only");
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        Assert.SkipWhen(Nginx.Executable is null, "nginx is not installed");

        var folder = Directory.CreateTempSubdirectory("lab-");
        try
        {
            var file = Path.Combine(folder.FullName, "bench.json");
            var output = await RunAsync(folder.FullName, "--rounds", "1", "--seconds", "0.2", "--kills", "1", "--sessions", "50", "--streams", "30", "--json", file);
            var report = JsonNode.Parse(await File.ReadAllTextAsync(file))!;

            Assert.Equal(Subjects, report["load"]!.AsArray().Select(subject => (string)subject!["key"]!));
            foreach (var load in report["load"]!.AsArray().SelectMany(subject => subject!["loads"]!.AsArray()))
                Assert.All(["callsPerSecond", "p50Milliseconds", "p99Milliseconds"], name => Positive(load!["median"]!, name));
            Assert.Superset(
                new HashSet<string> { "read-only/sdk 64", "read-only/sdk 1", "state/sdk 64", "state/sdk 1", "effect/sdk 64", "effect/sdk 1",
                    "balancer-cpu/nginx-cpu 64", "system/sdk-ha 64" },
                report["ratios"]!.AsArray().Select(ratio => $"{ratio!["name"]} {ratio["connections"]}").ToHashSet());

            Assert.All(["Sdk", "Ha"], kind => Positive(report["memory"]![kind]!, "streamingBytes"));
            Assert.Equal(["kill", "crowd", "vanish"], report["failures"]!.AsArray().Select(failure => (string)failure!["name"]!));
            Assert.All(report["failures"]!.AsArray(), failure => Positive(failure!, "p99Milliseconds"));
            Assert.All(["whole", "poll"], part => Assert.All(["perSecond", "p99Milliseconds", "storeCommands"], name => Positive(report["tasks"]![part]!, name)));
            var streams = report["streams"]!;
            Assert.Equal(30, (int)streams["streams"]!);
            Assert.Equal(10, (int)streams["streamsOfKilled"]!);
            Assert.All(["openSeconds", "broadcastP99Milliseconds", "silenceP99Milliseconds"], name => Positive(streams, name));
            Assert.All(["refused", "falseTakeOvers", "lost", "doubled"], name => Assert.Equal(0, (int)streams[name]!));
            Assert.NotNull(report["machine"]!["processor"]);
            Assert.Contains("read-only/sdk", output, StringComparison.Ordinal);
            Assert.Contains("tasks created and completed", output, StringComparison.Ordinal);
            Assert.Contains("broadcast to all of them", output, StringComparison.Ordinal);
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
