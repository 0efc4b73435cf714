using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The answer to a call that has become a task.</summary>
internal sealed class CreateTaskResult : Result
{
    [JsonExtensionData]
    public JsonObject Task { get; set; } = [];

    public static ResultOrAlternate<CallToolResult> Of(TaskView task) => ResultOrAlternate<CallToolResult>.FromAlternate(
        new CreateTaskResult { ResultType = "task", Task = TaskJson.Seed(task) }, TaskJsonContext.Default.CreateTaskResult);
}

[JsonSerializable(typeof(CreateTaskResult))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class TaskJsonContext : JsonSerializerContext;
