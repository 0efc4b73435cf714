using System.Collections.Concurrent;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Probes replicas that have open exchanges or whose heartbeat is missing, and finds those that are lost (<see cref="SuspicionRule"/>).</summary>
/// <remarks>
/// <para>A healthy replica without open exchanges is never probed. Bytes on an open exchange are as good as an answer.</para>
/// <para>A replica that does not answer within a tick is also sent pings (<see cref="PingSocket"/>), which its process answers even without processor time for
/// more.</para>
/// <para>A lost replica is asked again once per heartbeat that it still sends, or per interval while the registry is away. Its answer brings it back.</para>
/// <para>A wrong verdict is safe: the store fences the owner.</para>
/// </remarks>
internal sealed partial class PeerWatch : IDisposable
{
    private readonly PeerQuestions _questions;
    private readonly ReplicaView _view;
    private readonly StoreIncarnation _store;
    private readonly SuspicionRule _rule;
    private readonly TimerPaceMeter _pace;
    private readonly TimeSpan _idlePeriod;
    private readonly Func<TimeSpan> _now;
    private readonly Func<bool> _registryAway;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentDictionary<string, bool> _asking = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReplicaSuspicion> _suspicions = new(StringComparer.Ordinal);
    private int _busy; // guards _suspicions and _pace
    private int _reading;
    private volatile bool _idle = true;

    public PeerWatch(
        PeerQuestions questions, ReplicaView view, StoreIncarnation store, ClusterOptions options, TimeProvider time, Func<TimeSpan> now,
        Func<bool> registryAway, ILogger logger)
    {
        (_questions, _view, _store, _now, _registryAway, _logger) = (questions, view, store, now, registryAway, logger);
        _rule = new(options);
        _pace = new(_rule.Period);
        _idlePeriod = options.HeartbeatInterval;
        _timer = time.CreateTimer(static watch => ((PeerWatch)watch!).Tick(), this, _idlePeriod, _idlePeriod);
    }

    /// <summary>Something changed that makes a replica worth watching: the next look is soon.</summary>
    public void Wake()
    {
        if (!_idle || _stopped.IsCancellationRequested)
            return;
        _idle = false;
        _timer.Change(_rule.Period, _rule.Period);
    }

    /// <summary>Counts silence, passes verdicts, and sends the probes that are due.</summary>
    public void Tick()
    {
        if (_stopped.IsCancellationRequested || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
            return;
        try
        {
            Count(_now());
            Judge(_now());
        }
        catch (Exception exception)
        {
            LogTickFailed(exception);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }

        if (_registryAway())
            AskSuspected();
    }

    /// <summary>Asks lost replicas that may be back.</summary>
    public void AskSuspected()
    {
        foreach (var replica in _view.Suspected(_registryAway()))
            Ask(replica);
    }

    /// <summary>Asks replicas that the store has not heard of since it lost its data. One that does not answer is not waited for any longer.</summary>
    public void AskUnheard()
    {
        foreach (var replica in _store.Unheard)
            Ask(replica);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _stopped.Cancel();
    }

    private void Count(TimeSpan now)
    {
        var watched = _view.Watched(now);
        if (watched.Count == 0)
        {
            foreach (var suspicion in _suspicions.Values)
                suspicion.Cancel();
            _suspicions.Clear();
            _pace.Restart();
            if (!_idle)
                _timer.Change(_idlePeriod, _idlePeriod);
            _idle = true;
            return;
        }

        Wake();
        var pace = _pace.Tick(now);
        foreach (var gone in _suspicions.Keys.Except(watched.Select(replica => replica.Info.Id)).ToList())
        {
            _suspicions[gone].Cancel();
            _suspicions.Remove(gone);
        }

        foreach (var replica in watched)
        {
            var pong = _questions.LastPong(replica.Info.Id);
            if (!_suspicions.TryGetValue(replica.Info.Id, out var suspicion))
                _suspicions.Add(replica.Info.Id, suspicion = new(replica.LastReceived, pong));
            var sign = suspicion.Tick(pace, replica.LastReceived, pong);
            if (sign == LifeSign.Answer)
            {
                _view.Doubt(replica.Info.Id, false);
                continue;
            }

            // Its heartbeats are late for want of processor time, and what it says of the store is as late.
            if (sign == LifeSign.Starved)
                _view.Answered(replica.Info.Id, now);
            if (suspicion.TryBegin(_stopped.Token) is { } probe)
                _ = ProbeAsync(replica.Info, suspicion, probe);
            if (suspicion.Ticks > 0)
                _questions.Ping(replica.Info);
        }
    }

    private void Judge(TimeSpan now)
    {
        var watched = _view.Watched(now);
        var lately = _view.SilentLately(now);
        var others = _view.Others + lately;
        var silent = lately + watched.Count(replica => SuspicionRule.IsSilent(SilenceOf(replica).Ticks));
        var dead = lately + watched.Count(replica => SuspicionRule.IsSilent(SilenceOf(replica).DeadTicks));
        foreach (var replica in watched)
        {
            var silence = SilenceOf(replica);
            if (_rule.Decide(silence, replica.BeatMissed, others, silent, dead) is { } loss)
                _view.Suspect(replica.Info.Id, now, loss);
            else if (silence.DeadTicks >= SuspicionRule.TicksPerProbe - 1 && replica is { BeatMissed: false, BeatDue: true } && !_registryAway())
                _ = ReadAsync();
        }

        Silence SilenceOf(WatchedReplica replica) =>
            _suspicions.TryGetValue(replica.Info.Id, out var suspicion) ? new(suspicion.Ticks, suspicion.DeadTicks) : default;
    }

    // The registry is read between two heartbeats only if a verdict depends on it.
    private async Task ReadAsync()
    {
        if (Interlocked.CompareExchange(ref _reading, 1, 0) != 0)
            return;
        try
        {
            await _questions.ReadRegistryAsync(_stopped.Token).ConfigureAwait(false);
            if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
                return;
            try
            {
                Judge(_now());
            }
            finally
            {
                Volatile.Write(ref _busy, 0);
            }
        }
        catch (Exception exception)
        {
            if (!_stopped.IsCancellationRequested)
                LogTickFailed(exception);
        }
        finally
        {
            Volatile.Write(ref _reading, 0);
        }
    }

    private async Task ProbeAsync(ReplicaInfo replica, ReplicaSuspicion suspicion, CancellationTokenSource probe)
    {
        var asked = _now();
        try
        {
            switch (await _questions.ProbeAsync(replica, probe.Token).ConfigureAwait(false))
            {
                case ProbeAnswer.Unreachable { Refused: true }:
                    _view.Suspect(replica.Id, _now());
                    break;
                case ProbeAnswer.Unreachable:
                    break; // silence goes on
                case var answer:
                    suspicion.Answered();
                    if (answer is ProbeAnswer.Answered { StoreAway: false })
                        _view.Answered(replica.Id, asked);
                    break;
            }
        }
        catch (OperationCanceledException)
        {
            // Given up, or the process ends.
        }
        catch (Exception exception)
        {
            LogFailed(exception, replica.Id);
        }
        finally
        {
            suspicion.End(probe);
        }
    }

    private void Ask(ReplicaInfo replica)
    {
        if (!_stopped.IsCancellationRequested && _asking.TryAdd(replica.Id, true))
            _ = AskAsync(replica);
    }

    private async Task AskAsync(ReplicaInfo replica)
    {
        try
        {
            var asked = _now();
            if (await _questions.AskAsync(replica, _stopped.Token).ConfigureAwait(false) is ProbeAnswer.Unreachable { Refused: var refused })
            {
                var reason = refused ? ReplicaLoss.Refused : ReplicaLoss.Unreachable;
                _view.Suspect(replica.Id, _now(), reason);
                _store.Forget(replica.Id, reason);
            }
            else if (_view.Trust(replica.Id, asked, _now()))
                LogReachable(replica.Id);
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

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {ReplicaId} answers again.")]
    private partial void LogReachable(string replicaId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Probe of replica {ReplicaId} failed unexpectedly. The next probe follows.")]
    private partial void LogFailed(Exception exception, string replicaId);

    [LoggerMessage(Level = LogLevel.Error, Message = "The watch of the other replicas failed unexpectedly. It continues with the next check.")]
    private partial void LogTickFailed(Exception exception);
}

/// <summary>Findings of a <see cref="PeerWatch"/>.</summary>
/// <param name="ProbeAsync">Probes a replica on an existing connection, if there is one; ends with the token.</param>
/// <param name="AskAsync">Asks a replica on a new connection, within a time limit of its own.</param>
/// <param name="ReadRegistryAsync">Reads the registry, so that the view is as new as the call.</param>
/// <param name="Ping">Sends a ping.</param>
/// <param name="LastPong">What a replica has answered to pings.</param>
internal sealed record PeerQuestions(
    Func<ReplicaInfo, CancellationToken, Task<ProbeAnswer>> ProbeAsync,
    Func<ReplicaInfo, CancellationToken, Task<ProbeAnswer>> AskAsync,
    Func<CancellationToken, ValueTask> ReadRegistryAsync,
    Action<ReplicaInfo> Ping,
    Func<string, Pong> LastPong);
