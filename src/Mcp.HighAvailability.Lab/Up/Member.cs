using System.Diagnostics;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Up;

internal enum Role
{
    Redis,
    Dashboard,
    Replica,
    Balancer,
    Nginx,
}

internal enum MemberState
{
    Starting,
    Healthy,
    Down,
}

/// <summary>How to start a member once more; a replica gets a new id and a new address every time.</summary>
internal sealed record Launch(string Id, Uri? Url, ProcessSpec Process, Func<CancellationToken, Task<bool>> IsReady);

/// <summary>State of a member.</summary>
internal sealed record MemberStatus(Role Role, string Id, Uri? Url, int? ProcessId, MemberState State, int Starts);

/// <summary>One process of the cluster and all that follow it in its place: started, watched, and started again when it dies.</summary>
/// <param name="role">What it is.</param>
/// <param name="launch">How to start it, asked at every start.</param>
/// <param name="restartAfter">How long after its death it is started again; <see langword="null"/>: it stays dead.</param>
/// <param name="say">Takes a line about what happens.</param>
/// <param name="changed">Called after every change of its status.</param>
/// <param name="hold">Replaces the delay of a restart: what comes up is started again when this completes.</param>
/// <param name="givesWay">Whether a restart, until it is ready, gives way to everything else on this machine.</param>
internal sealed class Member(
    Role role, Func<Launch> launch, TimeSpan? restartAfter, Action<string> say, Action changed, Func<CancellationToken, Task>? hold = null,
    Func<bool>? givesWay = null)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;
    private volatile ChildProcess? _child;
    private bool _late;

    public MemberStatus Status { get; private set; } = new(role, "", null, null, MemberState.Starting, 0);

    /// <summary>Starts it for the first time and waits until it is ready; from then on it is watched.</summary>
    /// <exception cref="LabException">It ended or did not become ready in time; the message holds its last lines of output.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var child = await LaunchAsync(cancellationToken) ?? throw new LabException(Failure());
        _watching = WatchAsync(child);
    }

    /// <summary>Sends its process a signal.</summary>
    public void Send(Signal signal) => _child?.Send(signal);

    /// <summary>Ends it for good.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        await _stopping.CancelAsync();
        if (_child is { } child)
            await child.StopAsync(grace);
        await _watching;
        if (_child is { } last)
            await last.DisposeAsync();
    }

    private async Task WatchAsync(ChildProcess child)
    {
        try
        {
            for (var failures = 0; ; )
            {
                var code = await child.Exited;
                Set(Status with { ProcessId = null, State = MemberState.Down });
                Mark(child, Describe(code));
                if (_stopping.IsCancellationRequested)
                    return;

                var what = $"{Status.Id} (pid {child.Id}) {Describe(code)}";
                if (restartAfter is not { } delay)
                {
                    say($"{what}; it stays down");
                    return;
                }

                if (failures > 0)
                    delay = TimeSpan.FromSeconds(Math.Min(RetryDelay.TotalSeconds * (1 << Math.Min(failures, 10)), MaxRetryDelay.TotalSeconds));
                var held = hold is not null && failures == 0;
                say(held ? $"{what}; it is replaced" : $"{what}; it is replaced in {delay.TotalSeconds:0.###} s");
                await (held ? hold!(_stopping.Token) : Task.Delay(delay, _stopping.Token));
                await child.DisposeAsync();
                var next = await LaunchAsync(_stopping.Token);
                if (next is not null)
                    say($"{Status.Id} (pid {next.Id}) serves{(Status.Url is null ? "" : $" at {Status.Url.GetLeftPart(UriPartial.Authority)}")}");
                else
                    say(Failure());

                // Only what does not even come up is given more and more time: kills of a healthy one, however many, are answered as fast as ever.
                failures = next is null ? failures + 1 : 0;
                child = _child!;
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The cluster ends.
        }
    }

    /// <summary>Starts a process and waits for it; <see langword="null"/> if it did not become ready. It has ended then.</summary>
    private async Task<ChildProcess?> LaunchAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _late = false;
        var start = launch();
        Set(new(role, start.Id, start.Url, null, MemberState.Starting, Status.Starts + 1));
        var child = _child = await ChildProcess.StartAsync(start.Process);
        Set(Status with { ProcessId = child.Id });
        Mark(child, "started");
        var priority = Status.Starts > 1 && givesWay?.Invoke() == true ? StartPriority.Lowered(child.Id) : null;

        while (Stopwatch.GetElapsedTime(child.Started) < StartTimeout)
        {
            if (await start.IsReady(cancellationToken) && !child.Exited.IsCompleted)
            {
                await (priority?.RestoreAsync(cancellationToken) ?? Task.CompletedTask);
                Set(Status with { State = MemberState.Healthy });
                return child;
            }

            if (child.Exited.IsCompleted)
                return null;
            await Task.WhenAny(child.Exited, Task.Delay(ProbeInterval, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        _late = true;
        child.Send(Signal.Kill);
        await child.Exited;
        return null;
    }

    private string Failure()
    {
        var child = _child!;
        var reason = _late ? $"it was not healthy after {StartTimeout.TotalSeconds:0} s" : $"it {Describe(child.Exited.Result)}";
        // An unhandled exception says what is wrong before its stack trace, which may have more than twenty lines.
        var log = string.Join('\n', child.Tail(40).Select(line => "  | " + line));
        return $"{Status.Id} did not start: {reason}. The end of {child.Spec.LogFile}:\n{log}";
    }

    // All processes of a member write to one log, which keeps what a crashed one wrote: the marks tell them apart.
    private void Mark(ChildProcess child, string what) => File.AppendAllText(child.Spec.LogFile, $"--- {Status.Id} (pid {child.Id}) {what}\n");

    private void Set(MemberStatus status)
    {
        Status = status;
        changed();
    }

    private static string Describe(int code) => code switch
    {
        128 + (int)Signal.Kill => "was killed",
        128 + (int)Signal.Terminate => "was terminated",
        > 128 and < 160 => $"ended by signal {code - 128}",
        _ => $"exited with code {code}",
    };
}
