using System.Globalization;
using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Tasks as the protocol writes them. The same task gives the same bytes in every replica.</summary>
internal static class TaskJson
{
    /// <summary>The members that every form of a task has.</summary>
    public static JsonObject Seed(TaskView task)
    {
        var json = new JsonObject
        {
            [TaskProtocol.TaskId] = task.Id,
            ["status"] = task.Status.Name(),
        };
        if (task.Message.Length > 0)
            json["statusMessage"] = task.Message;
        json["createdAt"] = Iso(task.Created);
        json["lastUpdatedAt"] = Iso(task.Updated);
        json["ttlMs"] = (long)task.TimeToLive.TotalMilliseconds;
        json["pollIntervalMs"] = (long)task.PollInterval.TotalMilliseconds;
        return json;
    }

    /// <summary>A task with what its status adds: open questions, the result, or the error.</summary>
    public static JsonObject Detailed(TaskView task)
    {
        var json = Seed(task);
        switch (task.Status)
        {
            case McpTaskStatus.InputRequired:
                var requests = new JsonObject();
                foreach (var input in task.Inputs)
                {
                    if (input.Answer is null)
                        requests[input.Key] = JsonNode.Parse(input.Request.Span);
                }

                json["inputRequests"] = requests;
                break;
            case McpTaskStatus.Completed:
                json["result"] = JsonNode.Parse(task.Outcome.Span);
                break;
            case McpTaskStatus.Failed:
                json["error"] = JsonNode.Parse(task.Outcome.Span);
                break;
        }

        return json;
    }

    private static string Iso(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
