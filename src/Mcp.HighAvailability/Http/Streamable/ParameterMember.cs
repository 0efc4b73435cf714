using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>One member of a method's parameters.</summary>
/// <param name="Path">Its name; below other members, theirs first.</param>
/// <param name="IsRequired">Whether it must be there, if the member that it belongs to is.</param>
/// <param name="Type">
/// <c>string</c>, <c>number</c>, <c>id</c> (string or integer), <c>object</c> (with members that the SDK checks), <c>map</c> (any object),
/// <c>texts</c> (an object of strings), <c>level</c>, <c>cursor</c> or <c>revision</c>.
/// </param>
internal sealed record ParameterMember(string[] Path, bool IsRequired, string Type)
{
    private static readonly string[] Levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

    public string Name => $"params.{string.Join('.', Path)}";

    /// <summary>Reads <c>name: type</c> or <c>name?: type</c>.</summary>
    public static ParameterMember Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = text[..colon];
        return new(name.TrimEnd('?').Split('.'), !name.EndsWith('?'), text[(colon + 1)..].Trim());
    }

    /// <summary>Whether this says everything about a member of the parameters.</summary>
    public bool Describes(string name) => Path.Length == 1 && Path[0] == name && Type != "object";

    /// <summary>Returns the error; <see langword="null"/>: the value is valid. Rewrites a value that has several forms.</summary>
    public string? Check(JsonObject parameters, ref bool changed)
    {
        var parent = parameters;
        foreach (var name in Path[..^1])
        {
            if (parent[name] is not JsonObject next)
                return null;
            parent = next;
        }

        if (parent[Path[^1]] is not { } value)
            return IsRequired ? $"'{Name}' is missing. Send {Description}." : null;
        return Fits(parent, value, ref changed) ? null : $"'{Name}' must be {Description}.";
    }

    private bool Fits(JsonObject parent, JsonNode value, ref bool changed)
    {
        var kind = value.GetValueKind();
        switch (Type)
        {
            case "object" or "map":
                return kind == JsonValueKind.Object;
            case "texts":
                return kind == JsonValueKind.Object && ((JsonObject)value).All(text => text.Value?.GetValueKind() == JsonValueKind.String);
            case "number":
                return kind == JsonValueKind.Number;
            case "level":
                return kind == JsonValueKind.String && Levels.Contains(value.GetValue<string>());
            case "id" when kind == JsonValueKind.Number:
                if (!Integers.TryRead(value, out var integer))
                    return false;
                if (!((JsonValue)value).TryGetValue(out long _))
                    (parent[Path[^1]], changed) = (integer, true);
                return true;
            case "cursor" when kind == JsonValueKind.String && value.GetValue<string>().Length == 0:
                return changed = parent.Remove(Path[^1]);
            case "revision" when kind == JsonValueKind.String && !McpHeaders.WithSessions.Contains(value.GetValue<string>()):
                (parent[Path[^1]], changed) = (McpHeaders.WithSessions[^1], true);
                return true;
            default:
                return kind == JsonValueKind.String;
        }
    }

    private string Description => Type switch
    {
        "object" or "map" => "an object",
        "texts" => "an object whose members are strings",
        "number" => "a number",
        "id" => "a string or an integer",
        "level" => $"one of {string.Join(", ", Levels)}",
        "revision" => "a string such as \"2025-11-25\"",
        _ => "a string",
    };
}
