using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>The forms that a kind of fault takes.</summary>
internal enum FaultForm
{
    /// <summary><c>kill -9</c>.</summary>
    Killed,

    /// <summary><c>kill -9</c> of all replicas at once.</summary>
    AllKilled,

    /// <summary>SIGTERM.</summary>
    Terminated,

    /// <summary>SIGTERM to one replica after the other, each when the one before is back.</summary>
    AllTerminated,

    /// <summary>SIGSTOP, then SIGCONT.</summary>
    Frozen,

    /// <summary>A replica loses Redis: nothing passes.</summary>
    RedisHeld,

    /// <summary>A replica loses Redis: connections are reset.</summary>
    RedisReset,

    /// <summary>Peers and balancers lose a replica: nothing passes.</summary>
    PeersHeld,

    /// <summary>Peers and balancers lose a replica: connections are reset.</summary>
    PeersReset,

    /// <summary>A replica loses all: nothing passes.</summary>
    AllHeld,

    /// <summary>A replica loses all: connections are reset.</summary>
    AllReset,
}

/// <summary>Forms of faults to choose from.</summary>
internal static class FaultForms
{
    /// <summary>Redis kinds and whatever hits all replicas have the cluster for themselves; see <see cref="FaultRules"/>.</summary>
    public static IReadOnlyList<FaultForm> Of(FaultKind kind) => kind switch
    {
        // The first in each list is the plain case; there it stands more often.
        FaultKind.Kill => [FaultForm.Killed, FaultForm.Killed, FaultForm.Killed, FaultForm.Killed, FaultForm.AllKilled],
        FaultKind.Term => [FaultForm.Terminated, FaultForm.Terminated, FaultForm.Terminated, FaultForm.AllTerminated],
        FaultKind.Pause => [FaultForm.Frozen],
        FaultKind.RedisRestart => [FaultForm.Terminated, FaultForm.Killed],
        FaultKind.RedisWipe => [FaultForm.Killed],
        FaultKind.RedisOutage => [FaultForm.Terminated, FaultForm.Frozen],
        FaultKind.Cut => [FaultForm.RedisHeld, FaultForm.RedisReset, FaultForm.PeersHeld, FaultForm.PeersReset, FaultForm.AllHeld, FaultForm.AllReset],
        FaultKind.Balancer => [FaultForm.Killed, FaultForm.Terminated],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>How often a kind comes among all: those that need the whole cluster for long are rarer, so that the others get their turn.</summary>
    public static int Weight(FaultKind kind) => kind switch
    {
        FaultKind.Kill => 6,
        FaultKind.Term => 4,
        FaultKind.Pause or FaultKind.Cut or FaultKind.Balancer => 3,
        _ => 1,
    };

    /// <summary>Whether the store is what it hits.</summary>
    public static bool HitsStore(FaultKind kind) => kind is FaultKind.RedisRestart or FaultKind.RedisWipe or FaultKind.RedisOutage;

    /// <summary>The names of the kinds on the command line.</summary>
    public static IReadOnlyDictionary<string, FaultKind> Names { get; } = new Dictionary<string, FaultKind>
    {
        ["kill"] = FaultKind.Kill,
        ["term"] = FaultKind.Term,
        ["pause"] = FaultKind.Pause,
        ["redis-restart"] = FaultKind.RedisRestart,
        ["redis-wipe"] = FaultKind.RedisWipe,
        ["redis-outage"] = FaultKind.RedisOutage,
        ["cut"] = FaultKind.Cut,
        ["balancer"] = FaultKind.Balancer,
    };

    /// <summary>
    /// A form whose figures are kept apart from the others of its kind: no replica is left to take over at once.
    /// </summary>
    public static string? Apart(FaultForm form) => form switch
    {
        FaultForm.AllKilled => "all at once",
        FaultForm.AllTerminated => "one after the other",
        _ => null,
    };

    /// <summary>The name of a kind.</summary>
    public static string Name(FaultKind kind) => Names.First(name => name.Value == kind).Key;
}
