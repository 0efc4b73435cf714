using System.Diagnostics;
using System.Globalization;
using Mcp.HighAvailability.Lab.Processes;

namespace McpHa.Tests;

/// <summary>Programs that start beside others which must not be slowed down by it.</summary>
public sealed class StartPriorityTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lab-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_program_gives_way_until_it_is_ready()
    {
        Assert.SkipUnless(File.Exists("/proc/self/autogroup"), "This system has no autogroups.");
        await using var child = await ChildProcess.StartAsync(
            new("sleep", "sleep", ["600"], new Dictionary<string, string?>(), _folder.FullName, Path.Combine(_folder.FullName, "sleep.log")));
        var before = Nice(child.Id);

        // Who is not root may change so many in a second.
        StartPriority? priority = null;
        await Wait.UntilAsync(() => (priority = StartPriority.Lowered(child.Id)) is not null, "the priority to be lowered");
        Assert.Equal(Math.Min(before + 5, 19), Nice(child.Id));
        await priority!.RestoreAsync(CancellationToken.None);

        Assert.Equal(before, Nice(child.Id));
        Assert.Null(StartPriority.Lowered(int.MaxValue));
    }

    [Fact]
    public async Task A_program_of_Lab_gets_the_priority_that_Lab_was_given()
    {
        Assert.SkipUnless(File.Exists("/proc/self/autogroup"), "This system has no autogroups.");
        Assert.SkipUnless(File.Exists("/usr/bin/setsid"), "This system has no setsid.");
        var sleep = new ProcessSpec("sleep", "sleep", ["600"], new Dictionary<string, string?>(), _folder.FullName, Path.Combine(_folder.FullName, "sleep.log"));
        var start = Guardian.StartInfo(sleep, priority: 7);

        using var guardian = Process.Start(start)!;
        var child = int.Parse((await guardian.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);

        Assert.Equal(7, Nice(child));
        guardian.StandardInput.Close();
        await guardian.WaitForExitAsync();
    }

    [Fact]
    public async Task A_program_gets_variables_that_a_shell_would_drop()
    {
        const string Category = "Logging__LogLevel__Some.Category";
        var log = Path.Combine(_folder.FullName, "env.log");
        var environment = new Dictionary<string, string?> { [Category] = "Debug", ["PLAIN"] = "1" };

        await using var child = await ChildProcess.StartAsync(new("env", "env", [], environment, _folder.FullName, log));
        await child.Exited;

        var lines = await File.ReadAllLinesAsync(log);
        Assert.Contains($"{Category}=Debug", lines);
        Assert.Contains("PLAIN=1", lines);
    }

    private static int Nice(int processId) =>
        int.Parse(File.ReadAllText($"/proc/{processId}/autogroup").Split("nice ")[1], CultureInfo.InvariantCulture);
}
