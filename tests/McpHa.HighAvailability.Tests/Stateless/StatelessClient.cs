using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>A client of revision 2026-07-28: every request with the headers and the <c>_meta</c> that it has to have.</summary>
internal static class StatelessClient
{
    public const string Revision = "2026-07-28";

    public static RawClient New(string? user = null) => new() { Version = Revision, User = user };

    public static JsonObject Meta() => new()
    {
        ["io.modelcontextprotocol/protocolVersion"] = Revision,
        ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "raw", ["version"] = "1" },
        ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject(),
    };

    public static Task<Exchange> AskAsync(this RawClient client, InProcessReplica replica, string method, JsonObject? parameters = null, Action<Dictionary<string, string>>? change = null)
    {
        parameters ??= [];
        parameters["_meta"] ??= Meta();
        var headers = new Dictionary<string, string> { ["Mcp-Method"] = method };
        if ((parameters["name"] ?? parameters["uri"]) is { } name)
            headers["Mcp-Name"] = (string)name!;
        change?.Invoke(headers);
        return client.PostAsync(replica, client.Request(method, parameters), h =>
        {
            foreach (var (header, value) in headers)
                h.TryAddWithoutValidation(header, value);
        });
    }
}
