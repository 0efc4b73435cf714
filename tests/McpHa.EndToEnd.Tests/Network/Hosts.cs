using System.Diagnostics;

namespace McpHa.Tests.Network;

/// <summary>Hosts of a network of their own on this machine: namespaces on one bridge. Packets from one to another can be dropped, each direction by itself.</summary>
/// <remarks>A cut is silent: packets go to a hardware address that no host has, so no side gets a reset or an error.</remarks>
internal sealed class Hosts : IDisposable
{
    private const string NoHost = "02:00:00:00:00:fe";
    private const string Interface = "eth0";
    private const string Delay = "netem delay 500us";
    private const string LossTable = "loss";

    private static int _networks;

    private readonly List<string> _names = [];
    private readonly int _network = Interlocked.Increment(ref _networks) + (Environment.ProcessId % 100 * 2);
    private readonly string _prefix;

    public Hosts(params string[] names)
    {
        _prefix = $"m{Environment.ProcessId % 100_000}x{_network}";
        Ip($"link add {_prefix} type bridge");
        Ip($"addr add {Address(0)}/24 dev {_prefix}");
        Ip($"link set {_prefix} up");
        foreach (var name in names)
            Add(name);
    }

    /// <summary>Why there can be no such network here; <see langword="null"/> if there can.</summary>
    public static string? Unavailable { get; } = FindObstacle();

    /// <summary>Why packets cannot be delayed here; <see langword="null"/> if they can. They then take a millisecond there and back.</summary>
    public static string? NoDelays { get; } = Unavailable ?? InNamespace(static name =>
        Run("ip", $"netns exec {name} tc qdisc add dev lo root {Delay}") is { Code: not 0 } failed ? $"the kernel has no netem: {failed.Error.Trim()}" : null);

    /// <summary>Why packets cannot be lost here; <see langword="null"/> if they can.</summary>
    public static string? NoLoss { get; } = Unavailable ?? InNamespace(static name => Run("ip", Nft(name, Loss(1))) is { Code: not 0 } failed
        ? $"nft cannot drop packets, install it (apt-get install nftables): {failed.Error.Trim()}"
        : null);

    /// <summary>Address of a host.</summary>
    public string AddressOf(string name) => Address(_names.IndexOf(name) + 1);

    /// <summary>A program to be started on a host.</summary>
    public ProcessStartInfo On(string name, string program, params string[] arguments) =>
        new("ip", ["netns", "exec", Namespace(name), program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };

    /// <summary>Drops what one host sends to others; what these send to it arrives.</summary>
    public void Cut(string from, params string[] to)
    {
        foreach (var name in to)
            Ip($"-n {Namespace(from)} neigh replace {AddressOf(name)} lladdr {NoHost} dev {Interface} nud permanent");
    }

    /// <summary>Drops everything that one host and others send to each other.</summary>
    public void CutBothWays(string one, params string[] others)
    {
        Cut(one, others);
        foreach (var other in others)
            Cut(other, one);
    }

    /// <summary>Loses a share of the packets that reach each host, until <see cref="EndLoss"/>.</summary>
    public void Lose(int percent) => _names.ForEach(name => Ip(Nft(Namespace(name), Loss(percent))));

    /// <summary>Ends <see cref="Lose"/>.</summary>
    public void EndLoss() => _names.ForEach(name => TryIp(Nft(Namespace(name), $"delete table inet {LossTable}")));

    /// <summary>Ends all cuts of a host.</summary>
    public void Heal(string name)
    {
        foreach (var other in _names.Where(other => other != name))
        {
            TryIp($"-n {Namespace(name)} neigh del {AddressOf(other)} dev {Interface}");
            TryIp($"-n {Namespace(other)} neigh del {AddressOf(name)} dev {Interface}");
        }
    }

    public void Dispose()
    {
        foreach (var name in _names)
            TryIp($"netns del {Namespace(name)}");
        TryIp($"link del {_prefix}");
    }

    private void Add(string name)
    {
        _names.Add(name);
        var (space, here) = (Namespace(name), $"{_prefix}v{_names.Count}");
        Ip($"netns add {space}");
        Ip($"link add {here} type veth peer name {Interface} netns {space}");
        Ip($"link set {here} master {_prefix} up");
        Ip($"-n {space} addr add {AddressOf(name)}/24 dev {Interface}");
        Ip($"-n {space} link set {Interface} up");
        Ip($"-n {space} link set lo up");
        if (NoDelays is null)
            Ip($"netns exec {space} tc qdisc add dev {Interface} root {Delay}");
    }

    private string Address(int host) => $"10.{198 + (_network / 250)}.{_network % 250}.{host + 1}";

    private string Namespace(string name) => $"{_prefix}-{name}";

    // Dropped where they arrive: a sender would be told of what is dropped at its own end.
    private static string Loss(int percent) =>
        $"add table inet {LossTable}; add chain inet {LossTable} arriving {{ type filter hook input priority 0; }}; " +
        $"add rule inet {LossTable} arriving iifname {Interface} numgen random mod 100 < {percent} drop";

    private static string Nft(string space, string commands) => $"netns exec {space} nft \"{commands}\"";

    private static void Ip(string arguments)
    {
        if (Run("ip", arguments) is { Code: not 0 } failed)
            throw new InvalidOperationException($"ip {arguments}: {failed.Error}");
    }

    private static void TryIp(string arguments) => Run("ip", arguments);

    private static string? FindObstacle()
    {
        if (!OperatingSystem.IsLinux())
            return "network namespaces are of Linux only";
        if (LabCluster.Unavailable is { } reason)
            return reason;
        try
        {
            return InNamespace(static _ => null);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "the command 'ip' (iproute2) is not installed";
        }
    }

    private static string? InNamespace(Func<string, string?> attempt)
    {
        var name = $"mcp-try-{Environment.ProcessId}";
        var (code, error) = Run("ip", $"netns add {name}");
        if (code != 0)
            return $"no right to create network namespaces (root, CAP_NET_ADMIN): {error.Trim()}";
        var obstacle = attempt(name);
        TryIp($"netns del {name}");
        return obstacle;
    }

    private static (int Code, string Error) Run(string program, string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error);
    }
}
