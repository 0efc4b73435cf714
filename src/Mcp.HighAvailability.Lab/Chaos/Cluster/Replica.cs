using Mcp.HighAvailability.Lab.Chaos.Network;
using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Up;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>One replica and all that follow it in its place. Each has an id of its own, and an address of its own unless that is to stay.</summary>
internal sealed class Replica : IAsyncDisposable
{
    private readonly string _name;
    private readonly ReplicaSettings _settings;
    private readonly int? _port;
    private readonly Link? _toRedis;
    private volatile Link? _toMe;

    public Replica(string name, ReplicaSettings settings, Action<string> say)
    {
        _name = name;
        _settings = settings;
        _port = settings.KeepsPort ? Ports.Free() : null;
        _toRedis = settings.WithLinks ? new Link(settings.RedisPort) : null;
        Member = new Member(Role.Replica, Launch, restartAfter: TimeSpan.Zero, say, Changed, static _ => Task.CompletedTask, settings.GivesWay);
    }

    /// <summary>The process of the replica.</summary>
    public Member Member { get; }

    /// <summary>Where it is reached, if that stays the same.</summary>
    public Uri? Address => _port is null ? null : new($"http://127.0.0.1:{_port}");

    /// <summary>Id of the present one.</summary>
    public string Id => Member.Status.Id;

    /// <summary>Whether it answers, as far as Lab can tell.</summary>
    public bool IsUp => Member.Status.State == MemberState.Healthy;

    /// <summary>Cuts it off from Redis, or from all who connect to it, or both.</summary>
    public void Sever(bool fromRedis, bool fromPeers, Cut how)
    {
        if (fromRedis)
            _toRedis!.Sever(how);
        if (fromPeers)
            _toMe!.Sever(how);
    }

    /// <summary>Ends all cuts.</summary>
    public void Restore()
    {
        _toRedis?.Restore();
        _toMe?.Restore();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_toRedis is not null)
            await _toRedis.DisposeAsync();
        if (_toMe is not null)
            await _toMe.DisposeAsync();
    }

    private Launch Launch()
    {
        var id = $"{_name}-{Random.Shared.Next(0x10000):x4}";
        var reachedAt = _port ?? Ports.Free();
        var port = _settings.WithLinks ? Ports.Free() : reachedAt;
        var url = new Uri($"http://127.0.0.1:{port}");
        if (_settings.WithLinks)
            _toMe = new Link(port, reachedAt);

        var environment = new Dictionary<string, string?>(_settings.Environment)
        {
            ["ConnectionStrings__redis"] = $"127.0.0.1:{_toRedis?.Port ?? _settings.RedisPort}",
            ["HighAvailability__Application"] = ClusterState.Application,
            ["HighAvailability__ReplicaId"] = id,
            ["HighAvailability__AdvertisedAddress"] = $"http://127.0.0.1:{reachedAt}",
            ["OTEL_SERVICE_NAME"] = _name,
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={id}",
        };
        return new(
            id,
            url,
            _settings.Server.Program.At(_name, url, environment, _settings.LogFile(_name)),
            cancellationToken => _settings.Server.HasHealth ? Probe.HealthAsync(url, cancellationToken) : Probe.AnswersAsync(url, cancellationToken));
    }

    // The address of a process that has ended refuses connections, as it would without the link.
    private void Changed()
    {
        if (Member?.Status.State == MemberState.Down && _toMe is { } link)
        {
            _toMe = null;
            link.Close();
        }
    }
}

/// <summary>Settings of all replicas of a cluster.</summary>
/// <param name="Server">The program.</param>
/// <param name="RedisPort">Port of Redis.</param>
/// <param name="WithLinks">Whether it can be cut off.</param>
/// <param name="KeepsPort">Whether it is reached at the same port after every start.</param>
/// <param name="Environment">Further variables.</param>
/// <param name="LogFile">Log file by name.</param>
/// <param name="GivesWay">Whether one that replaces another gives way to the rest while it starts.</param>
internal sealed record ReplicaSettings(
    ServerProgram Server, int RedisPort, bool WithLinks, bool KeepsPort,
        IReadOnlyDictionary<string, string?> Environment, Func<string, string> LogFile, Func<bool> GivesWay);
