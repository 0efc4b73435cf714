using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>This replica: its id, and the address at which others reach it.</summary>
internal sealed class SelfReplica(
    IOptions<HighAvailabilityOptions> options, IServer server, TimeProvider time, IConfiguration? configuration = null, PriorKnowledge? priorKnowledge = null,
    IOptions<ClusterOptions>? cluster = null) : ISelfReplica
{
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private readonly string _version = Assembly.GetEntryAssembly()?.GetName().Version?.ToString(3) ?? "0.0.0";
    private Uri? _address;

    public string Id { get; } = options.Value.ReplicaId is { Length: > 0 } id ? id : "r" + RandomNumberGenerator.GetHexString(8, lowercase: true);

    /// <summary>Name given by the platform that started the process.</summary>
    public string Instance { get; } = InstanceName.Of(configuration);

    /// <summary>Shows that a request comes from a relay of this cluster: only readers of the registry know it.</summary>
    public string HopKey { get; } = RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>Whether a key is <see cref="HopKey"/>. Compares in constant time.</summary>
    public bool IsHopKey(string? key) =>
        key is not null && CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes<char>(key), MemoryMarshal.AsBytes<char>(HopKey));

    /// <summary>Set when the process begins to shut down, or while an operator wants it empty.</summary>
    public bool Draining { get; set; }

    /// <summary>The replica drains because an operator asked, and stays up.</summary>
    public bool Stays { get; set; }

    /// <summary>The incarnation of the store in which this replica has written back its sessions.</summary>
    public string WrittenBack { get; set; } = "";

    /// <summary>Returns the replica's load. The mapping of the endpoint sets it.</summary>
    public Func<(int Sessions, int Calls)> Load { get; set; } = static () => (0, 0);

    /// <summary>Returns the faults of this replica since its start.</summary>
    public Func<ReplicaFaults> Faults { get; set; } = static () => ReplicaFaults.None;

    /// <summary>Returns the names of the tools that may be run again, one per line.</summary>
    public Func<string> Rerun { get; set; } = static () => "";

    public ReplicaInfo? Describe()
    {
        _address ??= options.Value.AdvertisedAddress ?? BoundAddress();
        if (_address is null)
            return null;
        var (sessions, calls) = Load();
        return new(Id, _address, Draining, sessions, calls, _started, _version, Environment.ProcessId)
        {
            WrittenBack = WrittenBack,
            HopKey = HopKey,
            Rerun = Rerun(),
            Stays = Stays,
            Instance = Instance,
            Http2 = priorKnowledge is { IsOffered: true } && _address.Scheme == Uri.UriSchemeHttp,
            Application = cluster?.Value.Application ?? "",
            Faults = Faults() is var faults && faults == ReplicaFaults.None ? null : faults,
        };
    }

    // Plain http first: peers need no certificate that they trust. What is bound to every interface is reached at the first real one.
    private Uri? BoundAddress()
    {
        var bound = server.Features.Get<IServerAddressesFeature>()?.Addresses
            .Select(a => a.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal))
            .Select(a => Uri.TryCreate(a, UriKind.Absolute, out var uri) ? uri : null)
            .OfType<Uri>()
            .Where(u => u.Port > 0 && u.Scheme is "http" or "https")
            .OrderBy(u => u.Scheme, StringComparer.Ordinal)
            .FirstOrDefault();
        if (bound is null)
            return null;
        var everywhere = IPAddress.TryParse(bound.Host.Trim('[', ']'), out var ip) && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any));
        return new UriBuilder(bound) { Host = everywhere ? OwnAddress() : bound.Host, Path = "/" }.Uri;
    }

    private static string OwnAddress() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(n => n.OperationalStatus == OperationalStatus.Up && n.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(n => n.GetIPProperties().UnicastAddresses)
        .Select(a => a.Address)
        .FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork)?.ToString() ?? "127.0.0.1";
}
