using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The answer to a call that has become a task. The members are those of <see cref="TaskJson.Seed"/>.</summary>
internal sealed class CreateTaskResult : Result
{
    [JsonPropertyName(TaskProtocol.TaskId)]
    public JsonNode? TaskId { get; init; }

    [JsonPropertyName("status")]
    public JsonNode? Status { get; init; }

    [JsonPropertyName("statusMessage")]
    public JsonNode? StatusMessage { get; init; }

    [JsonPropertyName("createdAt")]
    public JsonNode? CreatedAt { get; init; }

    [JsonPropertyName("lastUpdatedAt")]
    public JsonNode? LastUpdatedAt { get; init; }

    [JsonPropertyName("ttlMs")]
    public JsonNode? TtlMs { get; init; }

    [JsonPropertyName("pollIntervalMs")]
    public JsonNode? PollIntervalMs { get; init; }

    public static ResultOrAlternate<CallToolResult> Of(TaskView task)
    {
        var seed = TaskJson.Seed(task);
        return ResultOrAlternate<CallToolResult>.FromAlternate(
            new CreateTaskResult
            {
                ResultType = "task",
                TaskId = Take(TaskProtocol.TaskId),
                Status = Take("status"),
                StatusMessage = Take("statusMessage"),
                CreatedAt = Take("createdAt"),
                LastUpdatedAt = Take("lastUpdatedAt"),
                TtlMs = Take("ttlMs"),
                PollIntervalMs = Take("pollIntervalMs"),
            },
            TaskJsonContext.Default.CreateTaskResult);

        JsonNode? Take(string name) => seed[name]?.DeepClone();
    }
}

[JsonSerializable(typeof(CreateTaskResult))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class TaskJsonContext : JsonSerializerContext;
