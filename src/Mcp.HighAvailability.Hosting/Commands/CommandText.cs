using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>Answers of commands: a sentence for people, and the same as JSON for tools.</summary>
internal static class CommandText
{
    public static ExecuteCommandResult Success<T>(string message, T result) =>
        CommandResults.Success(message, JsonSerializer.Serialize(result, JsonSerializerOptions.Web), CommandResultFormat.Json);

    public static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
