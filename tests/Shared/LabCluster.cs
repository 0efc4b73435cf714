using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.NetworkInformation;

namespace McpHa.Tests;

/// <summary>What a test wants of its cluster.</summary>
public sealed record LabClusterOptions
{
    public int Replicas { get; init; } = 3;

    public int Balancers { get; init; } = 1;

    /// <summary>Connection string of a Redis; by default the cluster has one of its own.</summary>
    public string? Redis { get; init; }

    /// <summary>Whether what dies is replaced, after <see cref="RestartAfter"/>.</summary>
    public bool Restart { get; init; } = true;

    /// <summary>For how many seconds what dies stays down; fewer than Lab's own 2.</summary>
    public double RestartAfter { get; init; } = 0.1;

    /// <summary>What an nginx is put in front of: <c>replicas</c> or <c>balancers</c>; none by default. See <see cref="LabCluster.NginxUnavailable"/>.</summary>
    public string? Nginx { get; init; }

    /// <summary>Further arguments of <c>up</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Variables for Lab and all its processes, e.g. <c>Server__DeliveryLog</c> or <c>HighAvailability__Durability</c>.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>Most file descriptors of every process (<c>ulimit -n</c>); by default what the test has.</summary>
    public int? Descriptors { get; init; }

    /// <summary>Directory to run in, so that a second cluster finds the data of a first; by default a new temporary one.</summary>
    public string? Folder { get; init; }
}

/// <summary>
/// A cluster of real processes for a test: <c>up</c> of Lab, on free ports, in a directory of its own. Ends with the test, even when the
/// test host is killed. Add a reference to Lab without its assembly to the test project, so that it is built:
/// <c>&lt;ProjectReference Include="…/Lab.csproj" ReferenceOutputAssembly="false" /&gt;</c>.
/// </summary>
public sealed class LabCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    private readonly ConcurrentQueue<string> _output = new();
    private readonly Process _lab;
    private readonly bool _ownFolder;

    private LabCluster(LabClusterOptions options)
    {
        _ownFolder = options.Folder is null;
        Folder = options.Folder ?? Directory.CreateTempSubdirectory("lab-").FullName;
        Port = FreePort(options.Balancers + 1);
        _lab = Start(options);
    }

    /// <summary>Why clusters cannot run here; <see langword="null"/> if they can. For <c>Skip.If</c>.</summary>
    public static string? Unavailable =>
        OperatingSystem.IsWindows() ? "clusters of processes run on Linux and macOS only"
        : OnPath("redis-server") ? null
        : "redis-server is not installed";

    /// <summary>Why there can be no nginx in front of clusters here; <see langword="null"/> if there can.</summary>
    public static string? NginxUnavailable =>
        Unavailable ?? (OnPath("nginx") || File.Exists("/usr/sbin/nginx") ? null : "nginx is not installed");

    /// <summary>The directory it runs in; logs are in <c>.lab/logs</c> below.</summary>
    public string Folder { get; }

    /// <summary>Port of the first balancer.</summary>
    public int Port { get; }

    /// <summary>MCP endpoint at the first balancer.</summary>
    public Uri Endpoint => new($"http://127.0.0.1:{Port}/mcp");

    /// <summary>MCP endpoint at nginx.</summary>
    public Uri NginxEndpoint => new(State.Nginx!.Url, "/mcp");

    /// <summary>Process id of Lab itself.</summary>
    public int LabProcessId => _lab.Id;

    /// <summary>What Lab has written so far.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>What runs now, as <c>cluster.json</c> says it.</summary>
    public ClusterState State => ClusterState.Read(StateFile) ?? throw new InvalidOperationException($"The cluster is not up. Lab says:\n{Output}");

    private string StateFile => Path.Combine(Folder, ".lab", "cluster.json");

    /// <summary>Starts a cluster; completes when everything in it is healthy.</summary>
    public static async Task<LabCluster> StartAsync(LabClusterOptions? options = null)
    {
        var cluster = new LabCluster(options ?? new());
        try
        {
            await Wait.UntilAsync(
                () => cluster._output.Any(line => line.StartsWith("ready ", StringComparison.Ordinal))
                    || (cluster._lab.HasExited ? throw new InvalidOperationException($"Lab ended with {cluster._lab.ExitCode}:\n{cluster.Output}") : false),
                "the cluster to be ready",
                StartLimit);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs <c>up</c> where it is expected to fail, and returns what it wrote.</summary>
    public static async Task<(int ExitCode, string Output)> StartAndFailAsync(LabClusterOptions options, int? port = null)
    {
        await using var cluster = port is null
            ? new LabCluster(options)
            : new LabCluster(options with { Arguments = [.. options.Arguments, "--port", $"{port}"] });
        using var limit = new CancellationTokenSource(StartLimit);
        await cluster._lab.WaitForExitAsync(limit.Token);
        return (cluster._lab.ExitCode, cluster.Output);
    }

    /// <summary>MCP endpoint of one replica, past the balancer.</summary>
    public static Uri EndpointOf(ReplicaState replica) => new(replica.Url, "/mcp");

    /// <summary>Waits until the cluster is as wanted, and returns how it is then.</summary>
    public async Task<ClusterState> WaitForAsync(Func<ClusterState, bool> condition, string what)
    {
        ClusterState? state = null;
        try
        {
            await Wait.UntilAsync(() => (state = ClusterState.Read(StateFile)) is not null && condition(state), what, Wait.Limit);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}. Lab says:\n{Output}", e);
        }

        return state!;
    }

    /// <summary>The end of what a member has logged, with the member's name: for the message of a test that failed.</summary>
    public string LogOf(string member)
    {
        var file = Path.Combine(Folder, ".lab", "logs", member + ".log");
        return File.Exists(file) ? $"{member} says:\n{string.Join('\n', File.ReadLines(file).TakeLast(40))}" : $"{member} has no log.";
    }

    /// <summary>The ends of all logs.</summary>
    public string Logs => string.Join('\n', Directory.EnumerateFiles(Path.Combine(Folder, ".lab", "logs"), "*.log").Select(Path.GetFileNameWithoutExtension).Order().Select(member => LogOf(member!)));

    /// <summary>Kills a replica (<c>kill -9</c>) and returns at once.</summary>
    public void Kill(string replicaId) => Processes.Send(Find(replicaId).Pid, Processes.SigKill);

    /// <summary>Tells a replica to stop (<c>SIGTERM</c>) and returns at once.</summary>
    public void Stop(string replicaId) => Processes.Send(Find(replicaId).Pid, Processes.SigTerm);

    /// <summary>Kills a replica and waits until the cluster is complete again with another one in its place.</summary>
    public async Task<ReplicaState> KillAndReplaceAsync(string replicaId)
    {
        var before = State.Replicas;
        Kill(replicaId);
        var after = await WaitForAsync(
            state => state.Replicas.Count == before.Count && state.Replicas.All(replica => replica.Id != replicaId),
            $"a replica in place of {replicaId}");
        return after.Replicas.Single(replica => before.All(old => old.Id != replica.Id));
    }

    /// <summary>Ends Lab by <c>SIGTERM</c>, as Ctrl-C does, and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        Processes.Send(_lab.Id, Processes.SigTerm);
        using var limit = new CancellationTokenSource(Wait.Limit);
        await _lab.WaitForExitAsync(limit.Token);
        return _lab.ExitCode;
    }

    /// <summary>Kills Lab itself (<c>kill -9</c>).</summary>
    public async Task KillLabAsync()
    {
        Processes.Send(_lab.Id, Processes.SigKill);
        await _lab.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_lab.HasExited)
                await StopAsync();
        }
        finally
        {
            if (!_lab.HasExited)
                _lab.Kill();
            _lab.Dispose();
        }

        if (_ownFolder)
        {
            // After a kill of Lab its processes may write for another moment.
            await Wait.UntilAsync(() => TryDelete(Folder), $"{Folder} to be deleted");
        }
    }

    private static bool TryDelete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private ReplicaState Find(string replicaId) => State.Replicas.SingleOrDefault(replica => replica.Id == replicaId)
        ?? throw new InvalidOperationException($"There is no replica {replicaId}, only {string.Join(", ", State.Replicas.Select(replica => replica.Id))}.");

    private Process Start(LabClusterOptions options)
    {
        var start = new ProcessStartInfo(options.Descriptors is null ? "dotnet" : "/bin/sh")
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        List<string> arguments =
        [
            .. options.Descriptors is { } limit ? ["-c", $"ulimit -n {limit} && exec dotnet \"$@\"", "sh"] : Array.Empty<string>(),
            LabAssembly(), "up", "--end-with-parent",
            "--replicas", $"{options.Replicas}",
            "--balancers", $"{options.Balancers}",
        ];
        if (!options.Arguments.Contains("--port"))
            arguments.AddRange(["--port", $"{Port}"]);
        if (options.Redis is not null)
            arguments.AddRange(["--redis", options.Redis]);
        if (options.Nginx is not null)
            arguments.AddRange(["--nginx", options.Nginx, "--nginx-port", $"{Port + options.Balancers}"]);
        arguments.AddRange(options.Restart ? ["--restart-after", options.RestartAfter.ToString(CultureInfo.InvariantCulture)] : ["--no-restart"]);
        foreach (var argument in arguments.Concat(options.Arguments))
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in options.Environment)
            start.Environment[name] = value;

        var lab = new Process { StartInfo = start };
        lab.OutputDataReceived += (_, line) => Keep(line.Data);
        lab.ErrorDataReceived += (_, line) => Keep(line.Data);
        lab.Start();
        lab.BeginOutputReadLine();
        lab.BeginErrorReadLine();
        return lab;
    }

    private void Keep(string? line)
    {
        if (line is not null)
            _output.Enqueue(line);
    }

    /// <summary>Lab, built in the configuration of the tests.</summary>
    public static string LabAssembly() => Assembly("*.Lab");

    /// <summary>A program of this repository, built in the configuration of the tests.</summary>
    /// <param name="project">Pattern of the project's folder name.</param>
    public static string Assembly(string project)
    {
        // Tests run from <root>/tests/<project>/bin/<configuration>/<framework>; programs are built beside the tests in the same configuration.
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var (framework, configuration) = (output.Name, output.Parent!.Name);
        for (var folder = output.Parent; folder is not null; folder = folder.Parent)
        {
            var sources = new DirectoryInfo(Path.Combine(folder.FullName, "src"));
            foreach (var program in folder.EnumerateDirectories(project).Concat(sources.Exists ? sources.EnumerateDirectories(project) : []))
            {
                var assembly = Path.Combine(program.FullName, "bin", configuration, framework, program.Name + ".dll");
                if (File.Exists(assembly))
                    return assembly;
            }
        }

        throw new InvalidOperationException($"{project} is not built for {configuration} in any folder above {output.FullName}.");
    }

    private static int FreePort(int count)
    {
        // Away from the ports that Lab gives to replicas and that the system gives to outgoing connections.
        for (var attempt = 0; attempt < 1_000; attempt++)
        {
            var port = Random.Shared.Next(14_000, 19_900);
            var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(listener => listener.Port).ToHashSet();
            if (!Enumerable.Range(port, count).Any(taken.Contains))
                return port;
        }

        throw new InvalidOperationException("No free port.");
    }

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));
}
