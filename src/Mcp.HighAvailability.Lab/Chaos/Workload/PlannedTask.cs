using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>A call that is to become a task.</summary>
/// <param name="Tool">Name of the tool.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="RunsLike">About how long it takes when nothing is wrong.</param>
/// <param name="Expected">What is known of its end.</param>
internal sealed record PlannedTask(string Tool, JsonObject Arguments, TimeSpan RunsLike, TaskExpectation Expected)
{
    /// <summary>What the client says when it is asked for a title.</summary>
    public string Title { get; init; } = "";

    /// <summary>A report that asks for its title half-way and saves each page.</summary>
    public static PlannedTask Report(string title, int seconds, bool listens, bool cancels) =>
        new(
            "report",
            new() { ["seconds"] = seconds },
            TimeSpan.FromSeconds(seconds),
            new(MayRunAgain: true, $"{title}: {seconds} pages, written by ") { Listens = listens, Cancels = cancels })
        {
            Title = title,
        };

    /// <summary>A delivery, which must not run twice.</summary>
    public static PlannedTask Deliver(string parcel, double seconds, bool listens) =>
        new(
            "deliver",
            new() { ["seconds"] = seconds, ["parcel"] = parcel },
            TimeSpan.FromSeconds(seconds),
            new(MayRunAgain: false, "delivered by ") { Listens = listens, Parcel = parcel });
}
