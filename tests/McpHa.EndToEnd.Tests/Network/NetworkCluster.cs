using System.Collections.Concurrent;
using System.Diagnostics;
using McpHa.Tests.Clients;

namespace McpHa.Tests.Network;

/// <summary>Three replicas, a balancer and a store, each on a host of its own; the clients are on a further one.</summary>
public sealed class NetworkCluster : IAsyncLifetime
{
    private const string Store = "store";
    private const string Balancer = "lb";

    private static readonly string[] Replicas = ["r1", "r2", "r3"];

    private readonly ConcurrentQueue<string> _output = new();
    private readonly List<Process> _processes = [];
    private Hosts? _hosts;

    /// <summary>Skips the test where there can be no such network.</summary>
    internal Hosts Network
    {
        get
        {
            Assert.SkipWhen(Hosts.Unavailable is not null, Hosts.Unavailable ?? "");
            return _hosts!;
        }
    }

    /// <summary>The last lines of all programs.</summary>
    public string Output => string.Join('\n', _output);

    internal RawClient Connect(string host = Balancer) => new(new Uri($"http://{Network.AddressOf(host)}:8080/mcp"));

    /// <summary>All hosts but one.</summary>
    public static string[] Others(string host) => [.. Replicas.Append(Balancer).Append(Store).Where(other => other != host)];

    public async ValueTask InitializeAsync()
    {
        if (Hosts.Unavailable is not null)
            return;
        _hosts = new([Store, Balancer, .. Replicas]);
        var store = _hosts.AddressOf(Store);
        Start(Store, "redis-server", ["--port", "6379", "--bind", store, "--protected-mode", "no", "--save", "", "--appendonly", "no"], []);
        foreach (var replica in Replicas)
            StartProgram(replica, "McpHa.Server", new() { ["HighAvailability__ReplicaId"] = replica });
        StartProgram(Balancer, "McpHa.Balancer", []);
        using var http = new HttpClient();
        await Wait.UntilAsync(
            async () =>
            {
                try
                {
                    var page = await http.GetStringAsync(new Uri($"http://{_hosts.AddressOf(Balancer)}:8080/metrics"));
                    return page.Split('\n').Any(line => line.StartsWith("mcp_ha_cluster_replicas", StringComparison.Ordinal) && line.EndsWith(" 3", StringComparison.Ordinal));
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "three replicas behind the balancer. " + Output);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
        }

        _hosts?.Dispose();
        return default;
    }

    private void StartProgram(string host, string program, Dictionary<string, string> environment)
    {
        var folder = Path.Combine(Repository(), program);
        environment["ASPNETCORE_URLS"] = $"http://{_hosts!.AddressOf(host)}:8080";
        environment["ASPNETCORE_CONTENTROOT"] = folder;
        environment["ConnectionStrings__redis"] = $"{_hosts.AddressOf(Store)}:6379,abortConnect=false";
        environment["HighAvailability__Application"] = "network";
        Start(host, "dotnet", [Path.Combine(folder, "bin/Release/net10.0", program + ".dll")], environment);
    }

    private void Start(string host, string program, string[] arguments, Dictionary<string, string> environment)
    {
        var start = _hosts!.On(host, program, arguments);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        _processes.Add(process);
        process.OutputDataReceived += (_, line) => Keep(host, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(host, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    private void Keep(string host, string? line)
    {
        if (line is null)
            return;
        _output.Enqueue($"{host}: {line}");
        while (_output.Count > 200)
            _output.TryDequeue(out _);
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "McpHa.sln")))
            folder = folder.Parent!;
        return folder.FullName;
    }
}
