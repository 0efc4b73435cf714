using System.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Ends the start of the application with a cure when Redis is not there, or when the library cannot work with what it finds.</summary>
/// <remarks>In <see cref="StartingAsync"/>, which comes before the start of every other hosted service.</remarks>
internal sealed partial class RedisStartCheck(
    RedisConnection redis,
    IOptions<RedisHighAvailabilityOptions> options,
    IConfiguration configuration,
    ILogger<RedisStartCheck> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private static readonly Version Oldest = new(6, 2);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        while (await FindAsync(cancellationToken) is { } problem)
        {
            if (!problem.MayPass || waited.Elapsed > options.Value.StartTimeout)
                throw new InvalidOperationException($"{problem.What} {problem.Cure}", problem.Fault);
            Waiting(problem.What);
            await Task.Delay(Pause, cancellationToken);
        }

        Ready(Where, options.Value.KeyPrefix ?? "");
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Returns the error of a server version, from <c>INFO server</c>; <see langword="null"/>: it is supported.</summary>
    internal static string? TooOld(string info) =>
        Value(info, "redis_version") is { } text && Version.TryParse(text, out var version) && version < Oldest ? text : null;

    private async Task<Problem?> FindAsync(CancellationToken cancellationToken)
    {
        try
        {
            var servers = redis.Multiplexer.GetServers().Where(static server => server.IsConnected).ToArray();
            if (servers.Length > 0 && servers.All(static server => server.IsReplica))
                return ReadOnly();

            var answer = (RedisValue[])(await redis.EvaluateAsync(RedisScripts.Check, [redis.Keys.Check], [redis.Keys.Topic("check").ToString()],
                cancellationToken))!;
            var (info, refused) = ((string?)answer[0] ?? "", (string?)answer[1] ?? "");
            if (TooOld(info) is { } version)
                return new($"Redis at {Where} has version {version}.", $"Use version {Oldest} or later, Valkey, or Garnet.");
            if (Value(info, "garnet_version") is { } garnet)
                OnGarnet(garnet);
            return refused.Length == 0 ? null : Refused(refused, fault: null);
        }
        catch (Exception e) when (e is StoreUnavailableException or RedisConnectionException)
        {
            // A client that connects when it is made fails without an instance that could be asked for its addresses.
            return new(e is StoreUnavailableException ? e.Message
                : $"Redis at {Where} cannot be reached.", $"Start Redis there, or {Set} to where it runs.") { MayPass = true, Fault = e };
        }
        catch (RedisServerException e)
        {
            return Refused(e.Message, e);
        }
    }

    private Problem Refused(string words, Exception? fault)
    {
        if (words.Contains("Lua scripting support disabled", StringComparison.OrdinalIgnoreCase))
            return new($"Garnet at {Where} runs without scripts.", "Start it with --lua --lua-transaction-mode.") { Fault = fault };
        if (words.Contains("READONLY", StringComparison.Ordinal))
            return ReadOnly();
        return new(
            $"Redis at {Where} refuses a command that the library needs ({words.Trim()}).",
            "Allow its user the commands and keys listed under Redis on the security page, including scripts.") { Fault = fault };
    }

    private Problem ReadOnly() =>
        new($"Redis at {Where} is a read-only replica.", $"{char.ToUpperInvariant(Set[0])}{Set[1..]} to its primary, or to both.") { MayPass = true };

    private string Set => redis.IsGiven
        ? "give UseRedis a connection"
        : $"set ConnectionStrings:{options.Value.ConnectionName} (as an environment variable ConnectionStrings__{options.Value.ConnectionName})";

    private string Where =>
        !redis.IsGiven && configuration.GetConnectionString(options.Value.ConnectionName) is { Length: > 0 } connectionString
            ? RedisFaults.Addresses(ConfigurationOptions.Parse(connectionString).EndPoints)
            : redis.Addresses;

    private static string? Value(string info, string name) => info.Split('\n')
        .Select(static line => line.Trim().Split(':', 2))
        .FirstOrDefault(pair => pair.Length == 2 && pair[0] == name)?[1];

    [LoggerMessage(Level = LogLevel.Information, Message = "Waiting for Redis. {Reason}")]
    private partial void Waiting(string reason);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Redis connected at {Address}. Key prefix: '{KeyPrefix}'. Servers and balancers of one application need the same prefix.")]
    private partial void Ready(string address, string keyPrefix);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Store: Garnet {Version}. Make sure that it runs with --lua-transaction-mode; the start check cannot see that.")]
    private partial void OnGarnet(string version);

    private sealed record Problem(string What, string Cure)
    {
        /// <summary>Waiting may help, as at a failover or while Redis starts.</summary>
        public bool MayPass { get; init; }

        public Exception? Fault { get; init; }
    }
}
