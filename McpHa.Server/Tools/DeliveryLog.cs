using System.Text;
using System.Text.Json;

namespace McpHa.Server.Tools;

/// <summary>
/// The outside world of <c>deliver</c>: one line of JSON per delivery, appended to the file that <c>Server:DeliveryLog</c> names.
/// Several replicas append to the same file.
/// </summary>
public sealed partial class DeliveryLog(IConfiguration configuration, ILogger<DeliveryLog> logger)
{
    private readonly string? _path = configuration["Server:DeliveryLog"];

    /// <summary>Notes a delivery. Once this returns it has happened and cannot be taken back, so it takes no cancellation.</summary>
    public async Task WriteAsync(string call, string replica)
    {
        LogDelivery(call);
        if (string.IsNullOrEmpty(_path))
            return;

        var delivery = new Delivery(call, replica, Environment.ProcessId, TimeProvider.System.GetUtcNow());
        var line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(delivery, JsonSerializerOptions.Web) + "\n");

        // One unbuffered append per line: lines of several processes do not mix.
        await using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        await file.WriteAsync(line);
    }

    private sealed record Delivery(string Call, string Replica, int Pid, DateTimeOffset Time);

    [LoggerMessage(LogLevel.Information, "Delivery {Call} is on its way")]
    private partial void LogDelivery(string call);
}
