using System.Collections.Concurrent;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Hosting.Restart;

/// <summary>Starts replicas again that ended by themselves: with a growing delay, and not for ever. A replica that was stopped stays down.</summary>
internal sealed partial class ReplicaRestarter(
    ResourceNotificationService notifications, ResourceCommandService commands, TimeProvider time, ILogger<ReplicaRestarter> logger) : BackgroundService
{
    private readonly ConcurrentDictionary<IResource, bool> _staysDown = new();

    /// <summary>The next end of a replica is wanted: it is not started again.</summary>
    public void StayDown(IResource replica) => _staysDown[replica] = true;

    /// <summary>Takes <see cref="StayDown"/> back: the replica has not ended.</summary>
    public void CancelStayDown(IResource replica) => _staysDown.TryRemove(replica, out _);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Dictionary<IResource, ReplicaLife> lives = [];
        List<Task> starts = [];
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (!change.Resource.HasAnnotationOfType<McpReplicaAnnotation>())
                    continue;
                if (!lives.TryGetValue(change.Resource, out var life))
                    lives[change.Resource] = life = new(RestartPolicy.Default, time);
                var staysDown = life.StaysDown = _staysDown.ContainsKey(change.Resource);
                var decision = life.Next(change.Snapshot.State?.Text);
                if (staysDown && !life.StaysDown)
                    _staysDown.TryRemove(change.Resource, out _);

                switch (decision)
                {
                    case ReplicaLife.Decision.Restart restart:
                        LogRestart(change.Resource.Name, Cause(change.Snapshot), restart.Delay.TotalSeconds, restart.Number, restart.Max);
                        starts.RemoveAll(start => start.IsCompleted);
                        starts.Add(StartAsync(change.ResourceId, change.Resource.Name, restart.Delay, stoppingToken));
                        break;
                    case ReplicaLife.Decision.GiveUp:
                        LogGivenUp(change.Resource.Name, Cause(change.Snapshot));
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application ends.
        }

        await Task.WhenAll(starts);
    }

    private async Task StartAsync(string resourceId, string name, TimeSpan delay, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(delay, time, cancellationToken);
            // Started by hand meanwhile.
            if (!notifications.TryGetCurrentState(resourceId, out var now) || !KnownResourceStates.TerminalStates.Contains(now.Snapshot.State?.Text))
                return;
            var result = await commands.ExecuteCommandAsync(resourceId, KnownResourceCommands.StartCommand, cancellationToken);
            if (!result.Success && !cancellationToken.IsCancellationRequested)
                LogNotStarted(name, result.Message ?? "");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The application ends.
        }
        catch (Exception e)
        {
            LogNotStarted(name, e.Message);
        }
    }

    private static string Cause(CustomResourceSnapshot replica) =>
        replica.State?.Text == KnownResourceStates.FailedToStart ? "failed to start" : $"ended with exit code " +
            $"{replica.ExitCode?.ToString(null as IFormatProvider) ?? "unknown"}";

    [LoggerMessage(LogLevel.Warning, "Replica {Name} {Cause}. It restarts in {Seconds} s ({Number} of {Max} in a row).")]
    private partial void LogRestart(string name, string cause, double seconds, int number, int max);

    [LoggerMessage(LogLevel.Error,
        "Replica {Name} {Cause}, too often in a row. It stays down. Read its log, then start it in the dashboard or with 'aspire resource {Name} start'.")]
    private partial void LogGivenUp(string name, string cause);

    [LoggerMessage(LogLevel.Error, "Replica {Name} did not start again: {Message} Start it in the dashboard or with 'aspire resource {Name} start'.")]
    private partial void LogNotStarted(string name, string message);
}
