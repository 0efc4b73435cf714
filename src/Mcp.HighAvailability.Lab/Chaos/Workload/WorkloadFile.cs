using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>
/// The workload file of a user's own server, for example:
/// <code>
/// {
///   "tools": [
///     { "name": "search", "arguments": { "query": "chaos {n}" }, "weight": 5, "rerun": true, "pattern": "^Found \\d+" },
///     { "name": "pay", "arguments": { "amount": 1, "reference": "{parcel}" }, "once": true, "seconds": 0.5, "timeout": 30 }
///   ]
/// }
/// </code>
/// See <see cref="WorkloadTool"/> for each property; only <c>name</c> is required. A tool with <c>once</c> appends one line
/// <c>{"parcel":"…"}</c> per run to a file of its own in the folder that its server's setting <c>Server:DeliveryLog</c> names. Comments are allowed.
/// </summary>
internal static class WorkloadFile
{
    private static readonly string[] Known = ["name", "arguments", "weight", "rerun", "once", "text", "pattern", "seconds", "timeout"];

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="LabException">It says something that is not understood; the message names place and cure.</exception>
    public static IReadOnlyList<WorkloadTool> Read(string path)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(File.ReadAllText(path), documentOptions: new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException e)
        {
            throw new LabException($"{path}, line {e.LineNumber + 1}: this is not JSON. {e.Message}");
        }

        if (root is not JsonObject { Count: 1 } || root["tools"] is not JsonArray { Count: > 0 } tools)
            throw new LabException($"{path}: write {{ \"tools\": [ {{ \"name\": \"…\" }}, … ] }} with one tool or more, and nothing beside it.");
        var read = tools.Select((tool, index) => Tool(tool, $"{path}, tools[{index}]")).ToList();
        return read.All(tool => tool.Weight == 0)
            ? throw new LabException($"{path}: no tool has a weight; give one more than 0.")
            : read;
    }

    private static WorkloadTool Tool(JsonNode? node, string place)
    {
        if (node is not JsonObject tool)
            throw new LabException($"{place}: a tool is an object, {{ \"name\": \"…\" }}.");
        if (tool.FirstOrDefault(property => !Known.Contains(property.Key)).Key is { } unknown)
            throw new LabException($"{place}.{unknown} is not known; there are {string.Join(", ", Known)}.");
        if (Text(tool, "name", place) is not { Length: > 0 } name)
            throw new LabException($"{place}.name is missing: name a tool of your server.");
        if (tool["arguments"] is not (null or JsonObject))
            throw new LabException($"{place}.arguments must be an object, such as {{ \"text\": \"hello {{n}}\" }}.");

        var read = new WorkloadTool(
            name,
            tool["arguments"]?.DeepClone().AsObject() ?? [],
            Number(tool, "weight", place) ?? 1,
            Flag(tool, "rerun", place),
            Flag(tool, "once", place),
            Text(tool, "text", place),
            Text(tool, "pattern", place),
            Number(tool, "seconds", place) ?? 0,
            Number(tool, "timeout", place) is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        if (read.Once && !read.Arguments.ToJsonString().Contains("{parcel}", StringComparison.Ordinal))
            throw new LabException(
                $"{place}.once needs an argument with {{parcel}}: your tool appends it to the delivery log each time it runs, so that a second run is seen.");
        if (read is { Once: true, Rerun: true })
            throw new LabException($"{place}: once and rerun exclude each other; a tool that may be run again may run twice.");
        if (read is { Text: not null, Pattern: not null })
            throw new LabException($"{place}: text and pattern exclude each other; leave one of them out.");
        CheckPattern(read.Pattern, place);
        return read;
    }

    private static void CheckPattern(string? pattern, string place)
    {
        try
        {
            _ = new Regex(pattern ?? "");
        }
        catch (ArgumentException e)
        {
            throw new LabException($"{place}.pattern is not a regular expression: {e.Message}");
        }
    }

    private static string? Text(JsonObject tool, string property, string place) => tool[property] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        var other => throw new LabException($"{place}.{property} must be a text in quotes, not {other.ToJsonString()}."),
    };

    private static bool Flag(JsonObject tool, string property, string place) => tool[property] switch
    {
        null => false,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        var other => throw new LabException($"{place}.{property} must be true or false, not {other.ToJsonString()}."),
    };

    private static double? Number(JsonObject tool, string property, string place) => tool[property] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out double number) && number is >= 0 and <= 3_600 => number,
        var other => throw new LabException($"{place}.{property} must be a number from 0 to 3600, not {other.ToJsonString()}."),
    };
}
