using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Up;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>The Redis of the cluster, which can be made to stop, to stand still and to forget. It keeps its port.</summary>
internal sealed class RedisNode
{
    private readonly string _folder;
    private TaskCompletionSource _mayStart = new();

    public RedisNode(LocalStore store, string folder, string logFile, Action<string> say)
    {
        _folder = folder;
        _mayStart.SetResult();
        Member = new Member(Role.Redis, () => Launch(store, logFile), restartAfter: TimeSpan.Zero, say, static () => { }, HoldAsync);
    }

    /// <summary>The process of the store.</summary>
    public Member Member { get; }

    /// <summary>The port of the store on the loopback address.</summary>
    public int Port { get; } = Ports.Free();

    /// <summary>Whether it answers.</summary>
    public bool IsUp => Member.Status.State == MemberState.Healthy;

    /// <summary>Ends it by a signal, leaves it away for a while, and starts it again.</summary>
    public async Task RestartAsync(Signal signal, TimeSpan away, bool empty, CancellationToken cancellationToken)
    {
        var starts = Member.Status.Starts;
        var mayStart = _mayStart = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            Member.Send(signal);
            await States.UntilAsync(() => Member.Status.State == MemberState.Down, "Redis to end", cancellationToken);
            if (empty)
                Directory.Delete(_folder, recursive: true);
            await Task.Delay(away, cancellationToken);
        }
        finally
        {
            mayStart.SetResult();
        }

        await States.UntilAsync(() => Member.Status.Starts > starts && IsUp, "Redis to be back", cancellationToken);
    }

    /// <summary>Lets it stand still for a while: connections stay, answers do not come.</summary>
    public async Task FreezeAsync(TimeSpan length, CancellationToken cancellationToken)
    {
        Member.Send(Signal.Stop);
        try
        {
            await Task.Delay(length, cancellationToken);
        }
        finally
        {
            Member.Send(Signal.Continue);
        }
    }

    private Task HoldAsync(CancellationToken cancellationToken) => _mayStart.Task.WaitAsync(cancellationToken);

    private Launch Launch(LocalStore store, string logFile) => new(
        "redis",
        new UriBuilder("redis", "127.0.0.1", Port).Uri,
        store.At(Port, _folder, logFile),
        cancellationToken => Probe.RedisAsync(Port, cancellationToken));
}
