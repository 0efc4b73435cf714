using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Runs a hosted service while this replica has the lease of that service.</summary>
/// <remarks>
/// A lease is taken over when its holder is lost, by the same verdict as sessions, or has given it back. A holder gives it back when it drains or
/// ends, after its service has stopped and while it still answers. It stops when it has not heard from the store for
/// <see cref="ClusterOptions.Overdue"/>, because others may have given it up by then, and when another one has the lease.
/// </remarks>
internal sealed partial class ClusterService<TService>(
    IServiceScopeFactory scopes, IStateHandleStore store, ISelfReplica self, ReplicaDirectory directory, IOptions<ClusterOptions> options, TimeProvider time,
    ILogger<ClusterService<TService>> logger) : BackgroundService, IHostedLifecycleService
    where TService : class, IHostedService
{
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5);

    private readonly string _name = typeof(TService).FullName ?? typeof(TService).Name;
    private readonly LeaseRecord _record = new(store, typeof(TService).FullName ?? typeof(TService).Name, self.Id);

    /// <summary>Whether the service runs here.</summary>
    public bool IsRunning { get; private set; }

    // A replica that drains gives the lease to another one, if there is another one.
    private bool MayHold => self.Describe() is { Draining: false } || !directory.Alive.Any(replica => replica.Id != self.Id && !replica.Draining);

    /// <summary>Stops the service before the listening socket closes: from then on others find this replica lost.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await TryTakeAsync(stoppingToken) is > 0 and var number)
                    await HoldAsync(number, stoppingToken);
            }
            catch (Exception e)
            {
                if (stoppingToken.IsCancellationRequested)
                    return;
                LogFailed(e is StoreUnavailableException ? LogLevel.Warning : LogLevel.Error, e, _name);
                await Task.Delay(PauseAfterFailure, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await WaitAsync(stoppingToken);
        }
    }

    // The number of the lease; 0: another replica has it.
    private async ValueTask<long> TryTakeAsync(CancellationToken cancellationToken)
    {
        if (directory.RegistryAway || directory.Find(self.Id) is null || !MayHold)
            return 0; // who else is there is not known
        var (holder, version) = await _record.ReadAsync(cancellationToken);
        var isHeld = holder.Length > 0 && holder != self.Id && directory.Find(holder) is not null;
        return version < 0 || isHeld ? 0 : await _record.TryTakeAsync(version, cancellationToken);
    }

    private async Task HoldAsync(long number, CancellationToken stoppingToken)
    {
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<ClusterLease>().Set(_name, number, cancellationToken => IsHeldAsync(number, cancellationToken), lost.Token);
        var service = ActivatorUtilities.CreateInstance<TService>(scope.ServiceProvider);
        LogStarted(_name, number);
        try
        {
            IsRunning = true;
            await service.StartAsync(lost.Token);
            await KeepAsync(number, service, stoppingToken);
        }
        finally
        {
            await lost.CancelAsync();
            await StopAsync(service);
            IsRunning = false;
        }

        LogStopped(_name, number);
        await _record.ReleaseAsync(number, CancellationToken.None);
    }

    // Until the lease is lost or given back. A service that has finished keeps it, and is not run again.
    private async Task KeepAsync(long number, TService service, CancellationToken stoppingToken)
    {
        var heard = time.GetTimestamp();
        while (MayHold && !stoppingToken.IsCancellationRequested)
        {
            if ((service as BackgroundService)?.ExecuteTask is { IsFaulted: true } failed)
                await failed;
            var asked = time.GetTimestamp();
            using var limit = new CancellationTokenSource(options.Value.HeartbeatInterval, time);
            try
            {
                if (!await IsHolderAsync(number, limit.Token))
                    return;
                heard = asked;
            }
            catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
            {
                if (time.GetElapsedTime(heard) >= options.Value.Overdue - options.Value.HeartbeatInterval)
                    return;
            }

            await WaitAsync(stoppingToken);
        }
    }

    private async ValueTask<bool> IsHolderAsync(long number, CancellationToken cancellationToken)
    {
        var (holder, version) = await _record.ReadAsync(cancellationToken);
        return version == number && holder == self.Id;
    }

    private async ValueTask<bool> IsHeldAsync(long number, CancellationToken cancellationToken)
    {
        try
        {
            return await IsHolderAsync(number, cancellationToken);
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private async Task StopAsync(TService service)
    {
        try
        {
            await service.StopAsync(CancellationToken.None);
        }
        catch (Exception e)
        {
            LogFailed(LogLevel.Error, e, _name);
        }
        finally
        {
            if (service is IAsyncDisposable later)
                await later.DisposeAsync();
            else
                (service as IDisposable)?.Dispose();
        }
    }

    private async Task WaitAsync(CancellationToken stoppingToken) =>
        await Task.WhenAny(Task.Delay(options.Value.HeartbeatInterval, time, stoppingToken), directory.Changed);

    [LoggerMessage(Level = LogLevel.Information, Message = "Cluster service {Service} started here, lease {Number}.")]
    private partial void LogStarted(string service, long number);

    [LoggerMessage(Level = LogLevel.Information, Message = "Cluster service {Service} stopped here, lease {Number}. Another replica may run it.")]
    private partial void LogStopped(string service, long number);

    [LoggerMessage(Message = "Cluster service {Service} failed. It is tried again, here or on another replica.")]
    private partial void LogFailed(LogLevel level, Exception exception, string service);
}
