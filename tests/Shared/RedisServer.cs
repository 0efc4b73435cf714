using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace McpHa.Tests;

/// <summary>A real redis-server of its own: free port, own folder, nothing kept unless asked. A test class takes it as fixture.</summary>
/// <remarks>Call <see cref="SkipIfMissing"/> first in each test that needs it (with <c>[Fact]</c>).</remarks>
public class RedisServer : IAsyncLifetime
{
    private static readonly string? Program = FindProgram();
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "redis-" + Guid.NewGuid().ToString("N"));
    private readonly string[] _arguments;
    private Process? _process;

    public RedisServer() : this([])
    {
    }

    /// <param name="arguments">More arguments for redis-server, e.g. <c>--requirepass x</c>.</param>
    public RedisServer(params string[] arguments) => _arguments = arguments;

    public static string SkipReason => "redis-server is not on PATH";

    public static bool IsMissing => Program is null;

    public int Port { get; private set; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>For the client: reconnects quickly, may use administrator's commands.</summary>
    public string ConnectionString => $"{Address},abortConnect=false,allowAdmin=true,connectTimeout=2000,syncTimeout=10000";

    public int ProcessId => _process!.Id;

    /// <summary>The arguments that the constructor was given.</summary>
    protected internal IReadOnlyList<string> MoreArguments => _arguments;

    public static void SkipIfMissing() => Assert.SkipWhen(IsMissing, SkipReason);

    /// <summary>Skips the test when this kind of server cannot be had on this machine.</summary>
    public virtual void SkipIfUnavailable() => SkipIfMissing();

    protected virtual ValueTask<string> ProgramAsync() => new(Program!);

    protected virtual IEnumerable<string> Arguments(int port, string folder) =>
        ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];

    public virtual async ValueTask InitializeAsync()
    {
        if (IsMissing)
            return;
        await StartFreshAsync();
    }

    protected async ValueTask StartFreshAsync()
    {
        Directory.CreateDirectory(_folder);
        Port = FreePort();
        await StartAsync();
    }

    /// <summary>Starts it again on the same port after <see cref="KillAsync"/>; empty, unless its arguments say <c>--appendonly yes</c>.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(await ProgramAsync(), [.. Arguments(Port, _folder), .. _arguments]) { WorkingDirectory = _folder, RedirectStandardOutput = true };
        _process = Process.Start(start)!;
        // Drained, so that the server never blocks on a full pipe.
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        await Wait.UntilAsync(IsListening, $"{start.FileName} on port {Port}");
    }

    /// <summary>Ends it without a good-bye; its data is gone, unless its arguments keep it.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await KillAsync();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A port of the loopback interface without a listener now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private bool IsListening()
    {
        if (_process!.HasExited)
            throw new InvalidOperationException($"redis-server ended with code {_process.ExitCode}.");
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string? FindProgram() => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "redis-server.exe" : "redis-server"))
        .FirstOrDefault(File.Exists);
}
