using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Finds out whether the replicas that are in use can be reached from here: a heartbeat in the registry does not say so.</summary>
/// <remarks>
/// <para>A replica with open exchanges is asked once per heartbeat interval. One that does not answer in time is suspected, by this process alone,
/// and then asked once per heartbeat that it still sends, or per interval while the registry is away: its answer brings it back, its heartbeat alone
/// does not. Nobody is asked who has no open exchange and is not suspected; one question per replica is under way at a time.</para>
/// <para>A replica that has something to say on its open exchanges but does not answer is busy, and asked once more before it is suspected.</para>
/// <para>Safe whatever it finds: the store fences an owner that was wrongly suspected.</para>
/// </remarks>
internal sealed partial class PeerWatch : IDisposable
{
    private readonly Func<ReplicaInfo, CancellationToken, Task<ProbeAnswer>> _ask;
    private readonly ReplicaView _view;
    private readonly Func<TimeSpan> _now;
    private readonly Func<bool> _registryAway;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentDictionary<string, bool> _asking = new(StringComparer.Ordinal);

    public PeerWatch(
        Func<ReplicaInfo, CancellationToken, Task<ProbeAnswer>> ask, ReplicaView view, ClusterOptions options, TimeProvider time, Func<TimeSpan> now,
        Func<bool> registryAway, ILogger logger)
    {
        (_ask, _view, _now, _registryAway, _logger) = (ask, view, now, registryAway, logger);
        _timer = time.CreateTimer(static watch => ((PeerWatch)watch!).Tick(), this, options.HeartbeatInterval, options.HeartbeatInterval);
    }

    /// <summary>Asks a replica now, unless it is being asked.</summary>
    public void Ask(ReplicaInfo replica)
    {
        if (!_stopped.IsCancellationRequested && _asking.TryAdd(replica.Id, true))
            _ = AskAsync(replica);
    }

    /// <summary>Asks everybody of whom it is worth knowing.</summary>
    public void Tick()
    {
        foreach (var replica in _view.InUse())
            Ask(replica);
        AskSuspected();
    }

    /// <summary>Asks suspected replicas that may be back.</summary>
    public void AskSuspected()
    {
        foreach (var replica in _view.Suspected(_registryAway()))
            Ask(replica);
    }

    /// <summary>Asks replicas of which the registry has not heard since it lost its data: who does not answer is not awaited any longer.</summary>
    public void AskAwaited()
    {
        foreach (var replica in _view.Awaited())
            Ask(replica);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _stopped.Cancel();
    }

    private async Task AskAsync(ReplicaInfo replica)
    {
        try
        {
            var (asked, began) = (_now(), Environment.TickCount64);
            var answer = await _ask(replica, _stopped.Token).ConfigureAwait(false);
            if (answer is ProbeAnswer.Unreachable { Refused: false } && _view.Use(replica.Id)?.LastHeard >= began)
            {
                asked = _now();
                answer = await _ask(replica, _stopped.Token).ConfigureAwait(false);
            }

            switch (answer)
            {
                case ProbeAnswer.Unreachable { Refused: var refused }:
                    if (_view.Suspect(replica.Id, _now()))
                        LogUnreachable(replica.Id, refused ? "refused a connection" : "did not answer in time");
                    break;
                default:
                    if (_view.Trust(replica.Id, asked, _now()))
                        LogReachable(replica.Id);
                    break;
            }
        }
        catch (OperationCanceledException) when (_stopped.IsCancellationRequested)
        {
            // The process ends.
        }
        catch (Exception exception)
        {
            LogFailed(exception, replica.Id);
        }
        finally
        {
            _asking.TryRemove(replica.Id, out _);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {ReplicaId} cannot be reached from here: it {What}. Nothing is sent to it until it answers again, whatever its heartbeats say.")]
    private partial void LogUnreachable(string replicaId, string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {ReplicaId} can be reached again.")]
    private partial void LogReachable(string replicaId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Asking replica {ReplicaId} failed unexpectedly; the next question follows.")]
    private partial void LogFailed(Exception exception, string replicaId);
}
