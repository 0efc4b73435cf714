using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>
/// Replicas that are alive, their addresses and drain state: one view per process, kept by heartbeats through the <see cref="IReplicaRegistry"/>.
/// </summary>
/// <remarks>
/// While the registry is away the last view stays as it is: no replica is given up for a silence that may be our own. Refused connections and
/// replicas in use that do not answer when asked directly count all the time. This process's own replica is never given up.
/// </remarks>
public sealed partial class ReplicaDirectory : BackgroundService
{
    /// <summary>Topic of the event bus on which replicas say that they joined, started to drain, or left.</summary>
    public const string Topic = "replicas";

    // A replica that is not bound yet looks this often whether it is.
    private static readonly TimeSpan BindPoll = TimeSpan.FromMilliseconds(25);

    // A heartbeat that is so late means that this replica stood still or was cut off: others may have taken its sessions over, and it may have
    // missed that. Heartbeats of a busy replica are late by less.
    private static readonly TimeSpan MaxLateness = TimeSpan.FromSeconds(2);

    /// <summary>A view that is younger is not read anew while replicas have not written back.</summary>
    internal static readonly TimeSpan MaxViewAge = TimeSpan.FromMilliseconds(50);

    private readonly IReplicaRegistry _registry;
    private readonly ISelfReplica? _self;
    private readonly ReplicaNews? _news;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClusterOptions _options;
    private readonly ReplicaView _view;
    private readonly ForeignReplicas _foreign;
    private readonly RegistryHealth _health;
    private readonly PeerWatch? _watch;
    private readonly PingSocket? _pings;
    private readonly long _origin;
    private readonly ITimer _sweep;
    private readonly WakeSignal _wake;
    private readonly SemaphoreSlim _reading = new(1, 1);
    private TimeSpan _lastReadAsked = TimeSpan.MinValue;
    private TimeSpan _lastBeat;
    private bool _joined;

    /// <summary>Creates the directory; it is empty until it runs or is refreshed.</summary>
    public ReplicaDirectory(
        IReplicaRegistry registry,
        IOptions<ClusterOptions> options,
        TimeProvider time,
        ILogger<ReplicaDirectory> logger,
        ISelfReplica? self = null,
        IEventBus? bus = null,
        PeerProbe? probe = null)
    {
        (_registry, _self, _time, _logger, _options) = (registry, self, time, logger, options.Value);
        Store = new StoreIncarnation(_options, time);
        _foreign = new ForeignReplicas(_options.Application, logger);
        _wake = new WakeSignal(time);
        _health = new RegistryHealth(time, logger);
        _news = bus is null ? null : new ReplicaNews(bus, Announce);
        _view = new ReplicaView(_options, self?.Id, heartbeatIsEnough: probe is null, OnLost);
        _origin = time.GetTimestamp();
        if (probe is not null)
        {
            _pings = new PingSocket(time, () => RegistryAway, new PoolLag(time).Look, new SuspicionRule(_options).SelfLimit, logger);
            var questions = new PeerQuestions(probe.ProbeAsync, probe.AskAsync, RefreshAsync, _pings.Ask, _pings.Last);
            _watch = new PeerWatch(questions, _view, Store, _options, time, () => Now, () => RegistryAway, logger);
        }

        _sweep = time.CreateTimer(static state => ((ReplicaDirectory)state!).Sweep(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// All replicas that are alive now: heartbeat not overdue, not reported unreachable since. Includes draining ones and this process's own.
    /// </summary>
    public IReadOnlyList<ReplicaInfo> Alive => _view.Alive;

    /// <summary>Completes when a replica next joins, starts or ceases to drain, or is lost. Take it before looking at <see cref="Alive"/>.</summary>
    public Task Changed => _view.Changed;

    /// <summary>The registry could not be read last time. Known after <c>Overdue</c> less <c>HeartbeatInterval</c> at the latest.</summary>
    public bool RegistryAway => _health.IsAway;

    /// <summary>Since when the registry cannot be read (UTC, by this process's clock); <see langword="null"/> while it can.</summary>
    public DateTimeOffset? AwaySince => _health.AwaySince;

    /// <summary>How long the last reading took that succeeded.</summary>
    public TimeSpan ReadTook => _health.ReadTook;

    /// <summary>The incarnation of the store.</summary>
    internal StoreIncarnation Store { get; }

    /// <summary>Whether all replicas that are alive, or may be without the store's having heard of them, have written back their sessions.</summary>
    /// <remarks>To be read before a look into the store; see <see cref="IsWholeAsync"/>.</remarks>
    internal WrittenBack WrittenBack => RegistryAway ? default : Store.WrittenBackBy(_view.Arrivals, Others);

    /// <summary>
    /// As <see cref="WrittenBack"/>, but at most <see cref="MaxViewAge"/> old if not all have written back. A replica that has just come says so with its
    /// second heartbeat, and sessions must not wait for the next regular reading.
    /// </summary>
    internal async ValueTask<WrittenBack> WrittenBackNowAsync()
    {
        if (WrittenBack is var known && (known.ByAll || known.Incarnation is null))
            return known;
        await ReadSinceAsync(Now - MaxViewAge, CancellationToken.None).ConfigureAwait(false);
        return WrittenBack;
    }

    /// <summary>
    /// Whether the store was whole when it was looked at: all replicas had written back before the look, and the store has lost nothing since.
    /// </summary>
    /// <param name="before"><see cref="WrittenBack"/> before the look.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async ValueTask<bool> IsWholeAsync(WrittenBack before, CancellationToken cancellationToken = default)
    {
        if (!before.ByAll || before.Incarnation is null)
            return before.ByAll;
        await RefreshAsync(cancellationToken).ConfigureAwait(false);
        return WrittenBack == before;
    }

    /// <summary>A replica that is alive, by id.</summary>
    public ReplicaInfo? Find(string replicaId) => _view.Find(replicaId);

    /// <summary>A token that ends when the replica is no longer alive (already ended when it is not now).</summary>
    public CancellationToken LostToken(string replicaId) => _view.LostToken(replicaId);

    /// <summary>All replicas that the registry holds, lost ones included, with the time since their last heartbeat. For display.</summary>
    public IReadOnlyList<RegisteredReplica> Known() => _view.Known(Now);

    /// <summary>
    /// Takes a replica out of <see cref="Alive"/> at once, because a connection to it was refused, until it beats and (with a
    /// <see cref="PeerProbe"/>) answers again.
    /// </summary>
    public void ReportUnreachable(string replicaId) => _view.Suspect(replicaId, Now);

    /// <summary>
    /// Probes a replica because connecting to it took too long, or an exchange with it broke; takes it out of <see cref="Alive"/> if it is lost.
    /// </summary>
    public void ReportSlow(string replicaId)
    {
        _view.Doubt(replicaId, true);
        _watch?.Wake();
    }

    /// <summary>
    /// A relay has lost a replica because it is silent. If its heartbeat is missing in the registry as well, it is taken out of <see cref="Alive"/>;
    /// the probe that the relay sent is not repeated.
    /// </summary>
    public async ValueTask CheckSilenceAsync(string replicaId, CancellationToken cancellationToken = default)
    {
        if (Find(replicaId) is null || replicaId == _self?.Id)
            return;
        ReportSlow(replicaId);
        if (!_view.IsBeatMissed(replicaId, Now))
            await RefreshAsync(cancellationToken);
        if (!RegistryAway && _view.IsBeatMissed(replicaId, Now))
            _view.Suspect(replicaId, Now, ReplicaLoss.Silent);
    }

    /// <summary>Notes an exchange with a replica, until it is disposed: a replica in use is lost, too, when it cannot be reached any more.</summary>
    internal ReplicaUse.Open Use(string replicaId)
    {
        if (_view.Use(replicaId) is not { } use)
            return default;
        _watch?.Wake();
        return use.Begin();
    }

    /// <summary>Sends the next heartbeat at once and tells the others. Call it when the server is bound and when draining begins.</summary>
    public void Announce() => _wake.Set();

    /// <summary>Reads the registry now, so that the view is at most as old as this call. When the registry is away the view stays as it is.</summary>
    public ValueTask RefreshAsync(CancellationToken cancellationToken = default) => ReadSinceAsync(Now, cancellationToken);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RefreshAsync(stoppingToken);
                if (!RegistryAway && _news is not null)
                    await _news.TellAsync(_joined, _self is null ? null : Find(_self.Id), stoppingToken);
            }
            catch (Exception exception)
            {
                if (stoppingToken.IsCancellationRequested)
                    return; // also if the store was away at the end
                LogLoopFailed(exception);
            }

            try
            {
                await SleepAsync(stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Stops beating and removes this replica from the registry, so that no peer waits for its silence.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            if (_news is not null)
                await _news.DisposeAsync();

            if (_self is not null && _joined)
            {
                await _registry.LeaveAsync(_self.Id, cancellationToken);
                if (_news is not null)
                    await _news.LeftAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (exception is StoreUnavailableException or OperationCanceledException)
        {
            LogLeaveFailed(exception.Message);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _sweep.Dispose();
        _watch?.Dispose();
        _pings?.Dispose();
        base.Dispose();
    }

    private TimeSpan Now => _time.GetElapsedTime(_origin);

    private IEnumerable<ReplicaInfo> Others => Alive.Where(replica => replica.Id != _self?.Id);

    // Reads the registry, unless the last reading began at that time or later.
    private async ValueTask ReadSinceAsync(TimeSpan since, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_lastReadAsked < since)
                await BeatAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Others that wait must not take it for a reading.
            _lastReadAsked = TimeSpan.MinValue;
            throw;
        }
        finally
        {
            _reading.Release();
        }
    }

    // Runs under _reading.
    private async ValueTask BeatAsync(CancellationToken cancellationToken)
    {
        var before = _lastReadAsked = Now;
        var self = _self?.Describe();
        if (self is not null && _pings is not null)
            self = self with { PingPort = _pings.Listen(self) };
        if (self is not null)
            _view.ApplySelf(self, before);

        // A registry that hangs must not stop us from noticing that it does.
        using var limit = new CancellationTokenSource(_options.AnswerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var reading = await _registry.BeatAsync(self, either.Token).AsTask().WaitAsync(either.Token);
            var after = Now;
            if (Store.Read(reading, Others))
                LogIncarnation();
            _view.Apply(self, _foreign.LeaveOut(reading), before, after);
            var late = before - _lastBeat - _options.HeartbeatInterval;
            if (RegistryAway || late >= MaxLateness && _joined)
                Store.Doubt();
            (_lastBeat, _joined) = (before, _joined || self is not null);
            Sweep();
            _watch?.AskSuspected();
            _watch?.AskUnheard();
            _health.Succeeded(after - before, Alive.Count);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            _health.Failed(exception);
        }
    }

    private void OnLost(string replicaId, ReplicaLoss reason)
    {
        Store.Forget(replicaId, reason);
        if (reason is ReplicaLoss.Left)
            LogLeft(replicaId);
        else
            LogLost(replicaId, ReplicaLossText.Of(reason));
    }

    private async Task SleepAsync(CancellationToken cancellationToken)
    {
        var unbound = _self is not null && Find(_self.Id) is null;
        if (!unbound)
        {
            await _wake.PauseAsync(_options.HeartbeatInterval, cancellationToken);
            return;
        }

        for (var waited = TimeSpan.Zero; waited < _options.HeartbeatInterval && _self!.Describe() is null; waited += BindPoll)
        {
            if (await _wake.PauseAsync(BindPoll, cancellationToken))
                return;
        }
    }

    private void Sweep()
    {
        var next = _view.Sweep(Now);
        _sweep.Change(next is { } left ? (left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1)) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {ReplicaId} lost: {Reason}. Its sessions move on demand.")]
    private partial void LogLost(string replicaId, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {ReplicaId} left after its shutdown.")]
    private partial void LogLeft(string replicaId);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Store restarted, failed over or emptied. Each replica checks its sessions and writes back those that are missing.")]
    private partial void LogIncarnation();

    [LoggerMessage(Level = LogLevel.Error, Message = "Heartbeat failed unexpectedly. The next heartbeat follows.")]
    private partial void LogLoopFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failed to deregister: {Reason} Peers will detect it by missed heartbeats.")]
    private partial void LogLeaveFailed(string reason);
}
