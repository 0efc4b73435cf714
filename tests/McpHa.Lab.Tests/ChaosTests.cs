using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary><c>chaos</c> as a process: all that it breaks must go unnoticed.</summary>
public sealed class ChaosTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lab-");
    private bool _passed;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        // What went wrong is in the logs.
        if (_passed)
            _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    // Each kind has its turn: in a round of the plan by its weight, and with the other seed in ten faults already.
    [Theory]
    [InlineData(10, 5784)]
    [InlineData(22, 20251125, Explicit = true)]
    public async Task Every_promise_holds_under_faults_of_every_kind(int faults, int seed)
    {
        SkipWithoutProcesses();
        var json = Path.Combine(_folder.FullName, "chaos.json");
        var html = Path.Combine(_folder.FullName, "chaos.html");

        var (code, output) = await ChaosProcess.RunAsync(_folder, "--faults", $"{faults}", "--sessions", "30", "--seed", $"{seed}", "--json", json, "--html", html);

        Assert.True(code == 0, $"chaos ended with {code}; its folder is {_folder.FullName}:\n{output}");
        var report = JsonNode.Parse(await File.ReadAllTextAsync(json))!;
        Assert.True((bool)report["holds"]!);
        Assert.Empty(report["notTried"]!.AsArray());
        Assert.Equal(8, report["kinds"]!.AsArray().Select(kind => (string)kind!["kind"]!).Distinct().Count());
        Assert.Equal(faults, report["faults"]!.AsArray().Count);
        Assert.True((int)report["counts"]!["calls"]! > 0);
        Assert.Contains("<svg", await File.ReadAllTextAsync(html), StringComparison.Ordinal);
        Assert.StartsWith("  0:00", output, StringComparison.Ordinal);
        Assert.Contains($"seed {seed}", output, StringComparison.Ordinal);
        Passed();
    }

    [Fact]
    public async Task A_server_of_somebody_else_is_driven_and_left_alone()
    {
        SkipWithoutProcesses();
        await using var cluster = await LabCluster.StartAsync(new() { Replicas = 2 });
        var before = cluster.State.ProcessIds.ToList();

        var (code, output) = await ChaosProcess.RunAsync(_folder, "--server", cluster.Endpoint.ToString(), "--minutes", "0.2", "--sessions", "5");

        Assert.True(code == 0, $"chaos ended with {code}:\n{output}");
        Assert.Contains("nothing is broken from here", output, StringComparison.Ordinal);
        Assert.Equal(before, cluster.State.ProcessIds);
        Passed();
    }

    [Fact]
    public async Task A_server_of_ones_own_is_broken_too_and_its_own_tools_are_called()
    {
        SkipWithoutProcesses();
        var workload = Path.Combine(_folder.FullName, "tools.json");
        await File.WriteAllTextAsync(workload, """
            { "tools": [
              { "name": "echo", "arguments": { "text": "chaos {n}" }, "weight": 5, "rerun": true, "text": "chaos {n}" },
              { "name": "deliver", "arguments": { "seconds": 0.3, "parcel": "{parcel}" }, "once": true, "seconds": 0.3, "pattern": "^delivered by " }
            ] }
            """);
        var json = Path.Combine(_folder.FullName, "chaos.json");

        var (code, output) = await ChaosProcess.RunAsync(
            _folder, "--project", LabCluster.Assembly("McpHa.Server"), "--workload", workload, "--faults", "2", "--faults-of", "kill", "--sessions", "10", "--seed", "3", "--json", json);

        Assert.True(code == 0, $"chaos ended with {code}; its folder is {_folder.FullName}:\n{output}");
        var counts = JsonNode.Parse(await File.ReadAllTextAsync(json))!["counts"]!;
        Assert.Equal(["deliver", "echo"], counts["callsByTool"]!.AsObject().Select(tool => tool.Key).Order());
        Assert.True((int)counts["deliveries"]! > 0);
        Passed();
    }

    [Fact]
    public async Task Ended_early_it_says_what_is_known_and_leaves_no_process()
    {
        SkipWithoutProcesses();
        using var lab = ChaosProcess.Start(_folder, "--minutes", "10", "--sessions", "5", "--faults-of", "kill,pause");
        var output = ChaosProcess.Read(lab);
        await Wait.UntilAsync(() => output.Any(line => line.Contains("fault 2", StringComparison.Ordinal)), "the second fault", TimeSpan.FromMinutes(5));

        Processes.Send(lab.Id, Processes.SigTerm);
        await lab.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(5)).Token);

        var text = string.Join('\n', output);
        Assert.Contains("interrupted", text, StringComparison.Ordinal);
        Assert.Contains("p99 ms", text, StringComparison.Ordinal);
        Assert.NotEqual(0, lab.ExitCode);
        await Wait.UntilAsync(() => !Children(_folder.FullName).Any(), "all processes to end");
        Passed();
    }

    [Theory]
    [InlineData("--faults-of knows kill", "--faults-of", "kill,flood")]
    [InlineData("--minutes and --faults exclude each other", "--minutes", "1", "--faults", "2")]
    [InlineData("--mutate knows Fence", "--mutate", "nonsense")]
    [InlineData("--replicas must be between 2", "--replicas", "1")]
    [InlineData("--project needs --workload", "--project", ".")]
    [InlineData("nothing is started or broken by Lab", "--server", "http://127.0.0.1:1/mcp", "--replicas", "4")]
    [InlineData("such as http://", "--server", "there")]
    [InlineData("must be more than 0", "--minutes", "-1")]
    [InlineData("does not exist", "--workload", "nowhere.json")]
    [InlineData("--sessions 0 needs", "--sessions", "0")]
    [InlineData("raise --balancers", "--balancers", "1", "--faults-of", "balancer")]
    public async Task What_makes_no_sense_is_an_error_that_names_the_cure(string expected, params string[] arguments)
    {
        var (code, output) = await ChaosProcess.RunAsync(_folder, arguments);

        Assert.Equal(2, code);
        Assert.Contains(expected, output, StringComparison.Ordinal);
        Passed();
    }

    private static void SkipWithoutProcesses() => Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");

    private void Passed() => _passed = true;

    /// <summary>Processes that write into the folder.</summary>
    private static IEnumerable<string> Children(string folder) => OperatingSystem.IsLinux()
        ? Directory.EnumerateDirectories("/proc").Where(process => CommandLine(process)?.Contains(folder, StringComparison.Ordinal) == true)
        : [];

    private static string? CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
