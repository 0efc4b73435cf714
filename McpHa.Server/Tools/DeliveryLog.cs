using System.Text;
using System.Text.Json;

namespace McpHa.Server.Tools;

/// <summary>
/// The outside world of <c>deliver</c>: one line of JSON per delivery, in the folder that <c>Server:DeliveryLog</c> names. Each replica has a
/// file of its own there, because appending to one file is not atomic between processes.
/// </summary>
public sealed partial class DeliveryLog(IConfiguration configuration, ILogger<DeliveryLog> logger) : IDisposable
{
    private readonly string? _folder = configuration["Server:DeliveryLog"];
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Notes a delivery. Once this returns it has happened and cannot be taken back, so it takes no cancellation.</summary>
    /// <param name="call">Who delivers: session and request.</param>
    /// <param name="parcel">What is delivered, if the caller said so.</param>
    /// <param name="replica">The replica that does it.</param>
    public async Task WriteAsync(string call, string? parcel, string replica)
    {
        LogDelivery(call);
        if (string.IsNullOrEmpty(_folder))
            return;

        var delivery = new Delivery(call, parcel, replica, Environment.ProcessId, TimeProvider.System.GetUtcNow());
        var line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(delivery, JsonSerializerOptions.Web) + "\n");

        Directory.CreateDirectory(_folder);
        await _turn.WaitAsync();
        try
        {
            // Unbuffered: what is written stays when the process is killed.
            await using var file = new FileStream(Path.Combine(_folder, replica + ".jsonl"), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            await file.WriteAsync(line);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private sealed record Delivery(string Call, string? Parcel, string Replica, int Pid, DateTimeOffset Time);

    [LoggerMessage(LogLevel.Information, "Delivery {Call} is on its way")]
    private partial void LogDelivery(string call);
}
