using System.Text.Json.Nodes;

namespace McpHa.Tests.Clients;

/// <summary>A client of revision 2026-07-28 that supports tasks.</summary>
internal sealed class TaskClient(Uri endpoint) : IDisposable
{
    private const string Revision = "2026-07-28";
    private const string Extension = "io.modelcontextprotocol/tasks";

    private readonly RawClient _http = new(endpoint);

    /// <summary>Whether it says so.</summary>
    public bool Supports { get; init; } = true;

    public void Dispose() => _http.Dispose();

    /// <summary>Calls a tool; returns the whole answer.</summary>
    public Task<JsonNode> CallAsync(string tool, JsonObject? arguments = null, string? exchange = null) =>
        SendAsync("tools/call", tool, new() { ["name"] = tool, ["arguments"] = arguments ?? [] }, exchange);

    /// <summary>Calls a tool that becomes a task; returns the task.</summary>
    public async Task<JsonNode> CreateAsync(string tool, JsonObject? arguments = null)
    {
        var answer = await CallAsync(tool, arguments);
        Assert.True((string?)answer["result"]?["resultType"] == "task", answer.ToJsonString());
        return answer["result"]!;
    }

    /// <summary>A task as it is now.</summary>
    public async Task<JsonNode> GetAsync(string taskId)
    {
        var answer = await SendAsync("tasks/get", taskId, new() { ["taskId"] = taskId });
        Assert.True(answer["result"] is not null, answer.ToJsonString());
        return answer["result"]!;
    }

    /// <summary>Polls until a task has a status.</summary>
    public async Task<JsonNode> WaitAsync(string taskId, params string[] statuses)
    {
        JsonNode? task = null;
        try
        {
            await Wait.UntilAsync(
                async () =>
                {
                    task = await GetAsync(taskId);
                    return statuses.Contains((string?)task["status"]);
                },
                $"task {taskId} to be {string.Join(" or ", statuses)}");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}. It is {task}", e);
        }

        return task!;
    }

    public Task<JsonNode> WaitForEndAsync(string taskId) => WaitAsync(taskId, "completed", "failed", "cancelled");

    /// <summary>Answers every open question of a task.</summary>
    public async Task AnswerAsync(JsonNode task, JsonObject content)
    {
        var answers = new JsonObject();
        foreach (var (key, _) in task["inputRequests"]!.AsObject())
            answers[key] = new JsonObject { ["action"] = "accept", ["content"] = content.DeepClone() };
        Assert.Equal("complete", (string?)(await UpdateAsync((string)task["taskId"]!, answers))["result"]?["resultType"]);
    }

    public Task<JsonNode> UpdateAsync(string taskId, JsonObject answers) => SendAsync("tasks/update", taskId, new() { ["taskId"] = taskId, ["inputResponses"] = answers });

    public Task<JsonNode> CancelAsync(string taskId) => SendAsync("tasks/cancel", taskId, new() { ["taskId"] = taskId });

    /// <summary>Listens to tasks.</summary>
    public Task<RawResponse> ListenAsync(params string[] taskIds) =>
        PostAsync("subscriptions/listen", null, new() { ["notifications"] = new JsonObject { ["taskIds"] = new JsonArray([.. taskIds.Select(id => (JsonNode)id)]) } }, null);

    public async Task<JsonNode> SendAsync(string method, string? name, JsonObject parameters, string? exchange = null)
    {
        using var response = await PostAsync(method, name, parameters, exchange);
        return await response.AnswerAsync();
    }

    private async Task<RawResponse> PostAsync(string method, string? name, JsonObject parameters, string? exchange)
    {
        var extensions = new JsonObject();
        if (Supports)
            extensions[Extension] = new JsonObject();
        parameters["_meta"] = new JsonObject
        {
            ["io.modelcontextprotocol/protocolVersion"] = Revision,
            ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "task-test", ["version"] = "1.0.0" },
            ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject { ["elicitation"] = new JsonObject(), ["extensions"] = extensions },
        };
        return await _http.PostAsync(RawClient.Request(1, method, parameters), request =>
        {
            request.Headers.Add("MCP-Protocol-Version", Revision);
            request.Headers.Add("Mcp-Method", method);
            if (name is not null)
                request.Headers.Add("Mcp-Name", name);
            if (exchange is not null)
                request.Headers.Add("Mcp-Ha-Exchange", exchange);
        });
    }
}
