using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Clients;

/// <summary>Requests of revision 2026-07-28 by a client that supports tasks, without an SDK: no client of the C# SDK has tasks.</summary>
internal sealed class TaskHttp(HttpClient http, Uri endpoint)
{
    private const string Revision = "2026-07-28";
    private const string Data = "data: ";

    /// <summary>Sends a request; returns its answer.</summary>
    /// <exception cref="HttpRequestException">There is none.</exception>
    public async Task<JsonNode> AskAsync(string method, string? name, JsonObject parameters, CancellationToken cancellationToken)
    {
        using var response = await PostAsync(method, name, parameters, HttpCompletionOption.ResponseContentRead, cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        var message = response.Content.Headers.ContentType?.MediaType == "text/event-stream"
            ? body.Split('\n')
                .Where(line => line.StartsWith(Data, StringComparison.Ordinal))
                .Select(line => JsonNode.Parse(line[Data.Length..])!)
                .LastOrDefault(found => found["id"] is not null)
            : body.Length > 0 && body[0] == '{' ? JsonNode.Parse(body) : null;
        return message ?? throw new HttpRequestException($"{method} was answered with {(int)response.StatusCode} and no message.");
    }

    /// <summary>Listens to a task until the stream ends.</summary>
    public async IAsyncEnumerable<JsonNode> ListenAsync(string taskId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await PostAsync(
            "subscriptions/listen",
            null,
            new() { ["notifications"] = new JsonObject { ["taskIds"] = new JsonArray(taskId) } },
            HttpCompletionOption.ResponseHeadersRead,
            cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length > Data.Length && line.StartsWith(Data, StringComparison.Ordinal))
                yield return JsonNode.Parse(line[Data.Length..])!;
        }
    }

    private async Task<HttpResponseMessage> PostAsync(
        string method, string? name, JsonObject parameters, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        parameters["_meta"] = new JsonObject
        {
            ["io.modelcontextprotocol/protocolVersion"] = Revision,
            ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "chaos-tasks", ["version"] = "1.0.0" },
            ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject
            {
                ["elicitation"] = new JsonObject(),
                ["extensions"] = new JsonObject { ["io.modelcontextprotocol/tasks"] = new JsonObject() },
            },
        };
        var body = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = parameters };
        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint);
        request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        request.Headers.Add("MCP-Protocol-Version", Revision);
        request.Headers.Add("Mcp-Method", method);
        if (name is not null)
            request.Headers.Add("Mcp-Name", name);
        return await http.SendAsync(request, completion, cancellationToken);
    }
}
