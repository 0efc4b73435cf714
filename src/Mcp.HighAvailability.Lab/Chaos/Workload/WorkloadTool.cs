using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>A tool of a user's own server, as the workload file describes it.</summary>
/// <remarks>
/// In arguments, text and pattern <c>{n}</c> stands for the number of the call in its session, <c>{session}</c> for the session's id, and
/// <c>{parcel}</c> for a mark that no other call of the run has.
/// </remarks>
/// <param name="Name">Its name.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Weight">How often it is called, compared with the others.</param>
/// <param name="Rerun">Whether it may be run again when its replica is lost: then the error "may have run" is a violation.</param>
/// <param name="Once">Whether it must not run twice: each run appends its <c>{parcel}</c> to the delivery log.</param>
/// <param name="Text">The text of a right result.</param>
/// <param name="Pattern">A pattern that the text of a right result matches.</param>
/// <param name="Seconds">About how long it takes; longer ones run beside others.</param>
/// <param name="Timeout">When it counts as hung; by default as all calls do.</param>
internal sealed record WorkloadTool(
    string Name, JsonObject Arguments, double Weight, bool Rerun, bool Once, string? Text, string? Pattern, double Seconds, TimeSpan? Timeout)
{
    private const double Long = 0.25;

    /// <summary>The next call of it in a session.</summary>
    public PlannedCall Plan(SessionContext session)
    {
        var parcel = session.Mark("parcel");
        string Fill(string text, Func<string, string> escape) => text
            .Replace("{n}", escape($"{session.Marks}"), StringComparison.Ordinal)
            .Replace("{session}", escape(session.Session), StringComparison.Ordinal)
            .Replace("{parcel}", escape(parcel), StringComparison.Ordinal);

        return PlannedCall.Tool(Name, Filled(Arguments, text => Fill(text, static part => part))!.AsObject(), new(Rerun, TimeSpan.FromSeconds(Seconds))
        {
            Text = Text is null ? null : Fill(Text, static part => part),
            Pattern = Pattern is null ? null : new Regex(Fill(Pattern, Regex.Escape), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)),
            Parcel = Once ? parcel : null,
        }) with { InBackground = Seconds > Long, Timeout = Timeout };
    }

    private static JsonNode? Filled(JsonNode? node, Func<string, string> fill) => node switch
    {
        JsonObject properties => new JsonObject(properties.Select(property => KeyValuePair.Create(property.Key, Filled(property.Value, fill)))),
        JsonArray items => new JsonArray([.. items.Select(item => Filled(item, fill))]),
        JsonValue value when value.TryGetValue(out string? text) => JsonValue.Create(fill(text)),
        _ => node?.DeepClone(),
    };
}
