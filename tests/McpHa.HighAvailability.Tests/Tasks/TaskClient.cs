using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>A client that supports tasks, to any replica of an <see cref="InProcessCluster"/>.</summary>
internal sealed class TaskClient(InProcessCluster cluster, string? user = null)
{
    private const string Extension = "io.modelcontextprotocol/tasks";

    /// <summary>Calls a tool; returns the whole answer.</summary>
    public Task<JsonNode> CallAsync(string tool, int replica = 0) =>
        AskAsync("tools/call", new() { ["name"] = tool, ["arguments"] = new JsonObject() }, replica);

    public async Task<JsonNode> GetAsync(string task, int replica = 0)
    {
        var answer = await AskAsync("tasks/get", new() { ["taskId"] = task }, replica);
        return answer["result"] ?? throw new InvalidOperationException(answer.ToJsonString());
    }

    public Task<JsonNode> CancelAsync(string task, int replica = 0) => AskAsync("tasks/cancel", new() { ["taskId"] = task }, replica);

    /// <summary>Answers every open question of a task with a color.</summary>
    public Task<JsonNode> AnswerAsync(JsonNode task, string color, int replica = 0)
    {
        var answers = new JsonObject();
        foreach (var key in Keys(task))
            answers[key] = new JsonObject { ["action"] = "accept", ["content"] = new JsonObject { ["color"] = color } };
        return AskAsync("tasks/update", new() { ["taskId"] = (string?)task["taskId"], ["inputResponses"] = answers }, replica);
    }

    /// <summary>Polls until a task has a status.</summary>
    public async Task<JsonNode> UntilAsync(string task, int replica, params string[] statuses)
    {
        JsonNode? now = null;
        await Wait.UntilAsync(
            async () =>
            {
                now = await GetAsync(task, replica);
                return statuses.Contains((string?)now["status"]);
            },
            $"task {task} to be {string.Join(" or ", statuses)}");
        return now!;
    }

    public Task<JsonNode> EndAsync(string task, int replica = 0) => UntilAsync(task, replica, "completed", "failed", "cancelled");

    /// <summary>Listens to tasks.</summary>
    public Task<Exchange> ListenAsync(int replica, params string[] tasks)
    {
        var client = StatelessClient.New(user);
        return client.AskAsync(cluster[replica], "subscriptions/listen", new()
        {
            ["notifications"] = new JsonObject { ["taskIds"] = new JsonArray([.. tasks.Select(task => (JsonNode)task)]) },
            ["_meta"] = Meta(),
        });
    }

    public async Task<JsonNode> AskAsync(string method, JsonObject parameters, int replica = 0)
    {
        using var client = StatelessClient.New(user);
        parameters["_meta"] = Meta();
        using var exchange = await client.AskAsync(cluster[replica], method, parameters, headers =>
        {
            if (parameters["taskId"] is { } id)
                headers["Mcp-Name"] = (string)id!;
        });
        return await exchange.AnswerAsync();
    }

    public static string Id(JsonNode answer) => (string)answer["result"]!["taskId"]!;

    public static string[] Keys(JsonNode task) => [.. (task["inputRequests"] as JsonObject ?? []).Select(request => request.Key)];

    private static JsonObject Meta()
    {
        var meta = StatelessClient.Meta();
        meta["io.modelcontextprotocol/clientCapabilities"] = new JsonObject
        {
            ["elicitation"] = new JsonObject(),
            ["extensions"] = new JsonObject { [Extension] = new JsonObject() },
        };
        return meta;
    }
}
