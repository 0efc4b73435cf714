using Mcp.HighAvailability.Lab.Processes;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>One run of <c>up</c>, from the checks to the last process gone.</summary>
internal sealed class UpSession
{
    private readonly UpOptions _options;
    private readonly string _file;
    private readonly Lock _writing = new();
    private ProcessCluster? _cluster;

    private UpSession(UpOptions options)
    {
        _options = options;
        _file = Path.Combine(options.Folder, "cluster.json");
    }

    /// <summary>Runs until <paramref name="cancellationToken"/> ends or the user quits.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(UpOptions options, CancellationToken cancellationToken)
    {
        if (!options.EndWithParent)
            return await new UpSession(options).RunAsync(cancellationToken);

        using var ending = ParentProcess.EndingWith(cancellationToken);
        return await new UpSession(options).RunAsync(ending.Token);
    }

    private async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        CheckPorts();
        CheckNginxPort();
        using var folder = LockFolder();
        File.Delete(_file);
        KeepLogs();

        IView view = IsTerminal() ? new LiveView() : new PlainView();
        try
        {
            await using var cluster = await PrepareAsync(view, cancellationToken);
            lock (_writing)
                _cluster = cluster;

            await cluster.StartAsync(cancellationToken);
            foreach (var member in cluster.Members)
                view.Say($"  {member.Id,-14} pid {member.ProcessId,-7} {member.Url?.ToString().TrimEnd('/')}");
            view.Say($"  logs           {Path.Combine(_options.Folder, "logs")}");
            view.Say($"ready {cluster.ToFile().Endpoint}");
            await view.RunAsync(cluster, cancellationToken);
            view.Say($"stopping; what is under way may take up to {cluster.StopTimeout.TotalSeconds:0} s");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C while it was still starting: all that had started has been ended.
        }
        finally
        {
            lock (_writing)
                _cluster = null;
            File.Delete(_file);
        }

        return 0;
    }

    private async Task<ProcessCluster> PrepareAsync(IView view, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
            throw new LabException("Lab runs on Linux and macOS only. Use WSL, or start the application under Aspire: dotnet run --project McpHa.AppHost.");
        if (_options.Nginx != NginxFront.None && Nginx.Executable is null)
            throw new LabException("nginx is not installed: apt-get install nginx or brew install nginx, or leave out --nginx.");

        var logs = Path.Combine(_options.Folder, "logs");
        var store = _options.Redis is null ? await LocalStore.FindAsync(logs, view.Say, cancellationToken) : null;
        view.Say(ProcessCluster.Describe(_options, store));
        var dashboard = _options.Dashboard ? await AspireDashboard.LocateAsync(_options, view.Say, cancellationToken) : null;
        var server = _options.Project is null ? ServerProgram.Sample : await ServerProgram.BuildAsync(_options.Project, logs, cancellationToken);
        return new ProcessCluster(_options, server, store, dashboard, view.Say, WriteFile);
    }

    private void WriteFile()
    {
        lock (_writing)
            _cluster?.ToFile().WriteTo(_file);
    }

    private void CheckPorts()
    {
        for (var port = _options.Port; port < _options.Port + _options.Balancers; port++)
        {
            if (port > 65_535)
                throw new LabException($"--port {_options.Port} leaves no port for balancer {port - _options.Port + 1}: choose a smaller one.");
            if (!Ports.IsFree(port))
                throw new LabException($"Port {port} on 127.0.0.1 is taken or not allowed: choose another one with --port.");
        }
    }

    private void CheckNginxPort()
    {
        if (_options.Nginx == NginxFront.None)
            return;
        if (_options.NginxPort >= _options.Port && _options.NginxPort < _options.Port + _options.Balancers)
            throw new LabException($"--nginx-port {_options.NginxPort} is the port of a balancer: choose another one.");
        if (!Ports.IsFree(_options.NginxPort))
            throw new LabException($"Port {_options.NginxPort} on 127.0.0.1 is taken or not allowed: choose another one with --nginx-port.");
    }

    private FileStream LockFolder()
    {
        Directory.CreateDirectory(_options.Folder);
        try
        {
            // Two of them would share one Redis data folder and destroy it.
            return new FileStream(Path.Combine(_options.Folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new LabException($"Another cluster runs in {_options.Folder}: stop that one first, or run this one from another clone.");
        }
    }

    /// <summary>Keeps the logs of the run before, which may have crashed.</summary>
    private void KeepLogs()
    {
        var logs = Path.Combine(_options.Folder, "logs");
        if (!Directory.Exists(logs))
            return;
        var previous = logs + ".previous";
        if (Directory.Exists(previous))
            Directory.Delete(previous, recursive: true);
        Directory.Move(logs, previous);
    }

    private static bool IsTerminal() =>
        !Console.IsOutputRedirected && !Console.IsInputRedirected && AnsiConsole.Profile.Capabilities.Interactive;
}
