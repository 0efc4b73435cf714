using System.Diagnostics;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Ends the start of the application with an address and a cure when Redis is not there.</summary>
/// <remarks>In <see cref="StartingAsync"/>, which comes before the start of every other hosted service.</remarks>
internal sealed partial class RedisStartCheck(
    RedisConnection redis,
    IOptions<RedisHighAvailabilityOptions> options,
    IConfiguration configuration,
    ILogger<RedisStartCheck> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await redis.RunAsync(static (database, _) => database.PingAsync(), redis.Keys.Replicas, cancellationToken);
                return;
            }
            catch (Exception e) when (e is StoreUnavailableException or RedisConnectionException)
            {
                if (waited.Elapsed > options.Value.StartTimeout)
                    throw new InvalidOperationException(Message(e), e);
                Waiting(e.Message);
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private string Message(Exception fault)
    {
        var name = options.Value.ConnectionName;
        // A client that connects when it is made fails without an instance that could be asked for its addresses.
        var what = fault is StoreUnavailableException ? fault.Message : $"Redis at {ConfiguredAddresses(name)} cannot be reached.";
        return $"{what} Start Redis there, or set ConnectionStrings:{name} (as an environment variable ConnectionStrings__{name}) to where it runs.";
    }

    private string ConfiguredAddresses(string name) =>
        configuration.GetConnectionString(name) is { Length: > 0 } connectionString
            ? RedisFaults.Addresses(ConfigurationOptions.Parse(connectionString).EndPoints)
            : "an address unknown here";

    [LoggerMessage(Level = LogLevel.Information, Message = "Waiting for Redis: {Reason}")]
    private partial void Waiting(string reason);
}
