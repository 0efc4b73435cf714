using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A session of the C# SDK's client with the sample server.</summary>
internal sealed class Session(McpClient client, HttpClientTransport transport) : IAsyncDisposable
{
    public static async Task<Session> OpenAsync(Uri endpoint)
    {
        var transport = new HttpClientTransport(new() { Endpoint = endpoint, TransportMode = HttpTransportMode.StreamableHttp });
        // Left to itself the SDK takes the revision without sessions.
        return new(await McpClient.CreateAsync(transport, new() { ProtocolVersion = "2025-11-25" }), transport);
    }

    /// <summary>Counts in the session's state.</summary>
    public async Task<long> CountAsync() => (await CallAsync("counter_increment")).GetProperty("value").GetInt64();

    /// <summary>The replica that has the session.</summary>
    public async Task<Owner> OwnerAsync()
    {
        var where = await CallAsync("where_am_i");
        return new(where.GetProperty("replica").GetString()!, where.GetProperty("processId").GetInt32());
    }

    /// <summary>A call that takes two seconds.</summary>
    public async Task<string> CountdownAsync(IProgress<ProgressNotificationValue> progress)
    {
        var result = await client.CallToolAsync("countdown", new Dictionary<string, object?> { ["seconds"] = 2, ["intervalMs"] = 100 }, progress);
        return string.Concat(result.Content.OfType<TextContentBlock>().Select(block => block.Text));
    }

    public async ValueTask DisposeAsync()
    {
        await client.DisposeAsync();
        await transport.DisposeAsync();
    }

    private async Task<JsonElement> CallAsync(string tool)
    {
        var result = await client.CallToolAsync(tool).AsTask().WaitAsync(Wait.Limit);
        Assert.NotEqual(true, result.IsError);
        return JsonSerializer.SerializeToElement(result.StructuredContent);
    }
}

/// <param name="Replica">Its id: name of the resource, and something that is different at every start.</param>
/// <param name="ProcessId">Its process.</param>
internal sealed record Owner(string Replica, int ProcessId)
{
    public string Resource => Replica[..Replica.LastIndexOf('-')];
}
