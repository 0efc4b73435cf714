using System.Net;
using System.Net.Sockets;

namespace McpHa.Tests;

/// <summary><c>up</c> with real processes.</summary>
public sealed class UpTests : IAsyncLifetime
{
    private readonly HttpClient _http = new() { Timeout = Wait.Limit };
    private LabCluster? _started;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_started is not null)
            await _started.DisposeAsync();
    }

    [Fact]
    public async Task With_no_restart_a_killed_replica_stays_dead()
    {
        var cluster = await StartAsync(new() { Replicas = 2, Restart = false });
        var victim = cluster.State.Replicas[0];

        cluster.Kill(victim.Id);

        await cluster.WaitForAsync(state => state.Replicas.Count == 1, "the dead replica to be taken out");
        await Wait.UntilAsync(() => cluster.Output.Contains($"{victim.Id} (pid {victim.Pid}) was killed; it stays down", StringComparison.Ordinal), "Lab to say so");
    }

    [Fact]
    public async Task SIGTERM_leaves_no_process_and_no_cluster_file()
    {
        var cluster = await StartAsync(new() { Replicas = 2 });
        var processes = cluster.State.ProcessIds.ToList();

        var exitCode = await cluster.StopAsync();

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(processes, Processes.IsAlive);
        Assert.False(File.Exists(Path.Combine(cluster.Folder, ".lab", "cluster.json")));
    }

    [Fact]
    public async Task The_logs_of_the_run_before_are_kept()
    {
        var folder = Directory.CreateTempSubdirectory("lab-");
        var first = await StartAsync(new() { Replicas = 1, Folder = folder.FullName });
        var replica = first.State.Replicas[0];
        await first.DisposeAsync();

        await StartAsync(new() { Replicas = 1, Folder = folder.FullName });

        var log = await File.ReadAllTextAsync(Path.Combine(folder.FullName, ".lab", "logs.previous", "server1.log"));
        Assert.Contains($"--- {replica.Id} (pid {replica.Pid}) started", log, StringComparison.Ordinal);
        await _started!.DisposeAsync();
        _started = null;
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Killing_Lab_itself_leaves_no_process()
    {
        var cluster = await StartAsync(new() { Replicas = 2 });
        var processes = cluster.State.ProcessIds.ToList();

        await cluster.KillLabAsync();

        await Wait.UntilAsync(() => !processes.Any(Processes.IsAlive), "all processes to end");
        await Wait.UntilAsync(() => Guardians(cluster.Folder) == 0, "their guardians to end");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_an_error_that_names_the_option()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var (exitCode, output) = await LabCluster.StartAndFailAsync(new() { Replicas = 1 }, port);

        Assert.Equal(1, exitCode);
        Assert.Contains($"{port}", output, StringComparison.Ordinal);
        Assert.Contains("--port", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3601)]
    [InlineData(double.NaN)]
    public async Task A_time_to_restart_that_makes_no_sense_is_an_error_that_names_the_option(double seconds)
    {
        var (exitCode, output) = await LabCluster.StartAndFailAsync(new() { RestartAfter = seconds });

        Assert.NotEqual(0, exitCode);
        Assert.Contains("--restart-after must be between 0 and 3600", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_Redis_is_an_error_that_names_the_address_and_no_password()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");

        var (exitCode, output) = await LabCluster.StartAndFailAsync(new() { Replicas = 1, Redis = "127.0.0.1:1,password=open-sesame,connectTimeout=500" });

        Assert.Equal(1, exitCode);
        Assert.Contains("127.0.0.1:1", output, StringComparison.Ordinal);
        Assert.DoesNotContain("open-sesame", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replica_that_does_not_start_ends_Lab_with_its_last_lines()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");

        // Kestrel refuses to start with an end point that makes no sense.
        var (exitCode, output) = await LabCluster.StartAndFailAsync(new()
        {
            Replicas = 1,
            Environment = new Dictionary<string, string?> { ["Kestrel__Endpoints__Broken__Url"] = "nonsense" },
        });

        Assert.Equal(1, exitCode);
        Assert.Contains("did not start", output, StringComparison.Ordinal);
        Assert.Contains("nonsense", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_dashboard_runs_and_hears_of_servers_and_balancers()
    {
        var cluster = _started = await DashboardCluster.StartAsync(new() { Replicas = 1 });
        var dashboard = cluster.State.Dashboard;
        Assert.NotNull(dashboard);

        await Wait.UntilAsync(
            async () =>
            {
                var resources = await _http.GetStringAsync(new Uri(dashboard, "/api/telemetry/resources"));
                return resources.Contains(cluster.State.Replicas[0].Id, StringComparison.Ordinal)
                    && resources.Contains("balancer1", StringComparison.Ordinal);
            },
            "telemetry of server and balancer in the dashboard");
    }

    private async Task<LabCluster> StartAsync(LabClusterOptions options)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        return _started = await LabCluster.StartAsync(options);
    }

    /// <summary>How many shells still watch over a process whose log is in the folder.</summary>
    private static int Guardians(string folder) => OperatingSystem.IsLinux()
        ? Directory.EnumerateDirectories("/proc").Count(process => CommandLine(process) is { } line && line.Contains("guardian", StringComparison.Ordinal) && line.Contains(folder, StringComparison.Ordinal))
        : 0;

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
