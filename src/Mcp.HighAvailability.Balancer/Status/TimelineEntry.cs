using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>What happened in the cluster.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TimelineKind>))]
internal enum TimelineKind
{
    /// <summary>A replica joined.</summary>
    [JsonStringEnumMemberName("joined")]
    Joined,

    /// <summary>A replica that was lost answers again.</summary>
    [JsonStringEnumMemberName("back")]
    Back,

    /// <summary>A replica shuts down and hands its sessions over.</summary>
    [JsonStringEnumMemberName("stopping")]
    Stopping,

    /// <summary>A replica hands its sessions over because an operator asked.</summary>
    [JsonStringEnumMemberName("drained")]
    Drained,

    /// <summary>A replica takes sessions again.</summary>
    [JsonStringEnumMemberName("resumed")]
    Resumed,

    /// <summary>A replica left after its shutdown.</summary>
    [JsonStringEnumMemberName("left")]
    Left,

    /// <summary>A replica died, or cannot be reached.</summary>
    [JsonStringEnumMemberName("lost")]
    Lost,

    /// <summary>Sessions were taken over, as their new owner says.</summary>
    [JsonStringEnumMemberName("taken-over")]
    TakenOver,

    /// <summary>Requests of clients were resumed at another replica, as this balancer saw it.</summary>
    [JsonStringEnumMemberName("resumption")]
    Resumption,

    /// <summary>Redis cannot be read.</summary>
    [JsonStringEnumMemberName("registry-away")]
    RegistryAway,

    /// <summary>Redis can be read again.</summary>
    [JsonStringEnumMemberName("registry-back")]
    RegistryBack,
}

/// <summary>Something that happened, once or several times within seconds.</summary>
/// <param name="Time">When (of several the first), UTC.</param>
/// <param name="Kind">What.</param>
/// <param name="Replica">To which replica; of sessions and requests the one that had them before.</param>
/// <param name="To">The replica that has the sessions or requests now.</param>
/// <param name="Reason">Why sessions were taken over.</param>
/// <param name="Count">How often.</param>
/// <param name="TypicalMs">The median of the pauses.</param>
/// <param name="LongestMs">The longest pause.</param>
internal sealed record TimelineEntry(
    DateTimeOffset Time, TimelineKind Kind, string Replica = "", string To = "", string Reason = "", int Count = 1,
    double? TypicalMs = null, double? LongestMs = null)
{
    /// <summary>Of a lost replica: sessions that it had, by its last heartbeat.</summary>
    public int? Sessions { get; init; }

    /// <summary>What followed from it, oldest first.</summary>
    public IReadOnlyList<TimelineEntry> Followed { get; init; } = [];
}
