using System.Collections.Concurrent;
using System.Globalization;
using ModelContextProtocol.Server;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>The tools that every measured server has.</summary>
[McpServerToolType]
internal sealed class CallTools
{
    /// <summary>Read-only call: returns its text.</summary>
    [McpServerTool(Name = "echo", ReadOnly = true, OpenWorld = false)]
    public static string Echo(string text) => text;

    /// <summary>Call that must not run twice: returns its text.</summary>
    [Rerun(false)]
    [McpServerTool(Name = "send", Destructive = true, Idempotent = false)]
    public static string Send(string text) => text;
}

/// <summary>State-changing call on the library's session state, which commits together with the answer.</summary>
[McpServerToolType]
internal sealed class SessionStateTools
{
    [Rerun(true)]
    [McpServerTool(Name = "count", Destructive = false, OpenWorld = false)]
    public static async Task<string> CountAsync(ISessionState state, string text, CancellationToken cancellationToken)
    {
        var count = await state.UpdateAsync<long>("count", count => count + 1, cancellationToken);
        return count.ToString(CultureInfo.InvariantCulture);
    }
}

/// <summary>Calls that become tasks.</summary>
[McpServerToolType]
internal sealed class TaskTools
{
    public const string Quick = "job";
    public const string Held = "held";

    /// <summary>Returns its text.</summary>
    [McpServerTool(Name = Quick, ReadOnly = true, OpenWorld = false), RunAsTask]
    public static string Job(string text) => text;

    /// <summary>Works until it is cancelled.</summary>
    [McpServerTool(Name = Held, ReadOnly = true, OpenWorld = false), RunAsTask]
    public static Task HoldAsync(CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
}

/// <summary>State-changing call as a server keeps its state without high availability: in the process.</summary>
[McpServerToolType]
internal sealed class MemoryStateTools
{
    private static readonly ConcurrentDictionary<string, long> Counts = new(StringComparer.Ordinal);

    [McpServerTool(Name = "count", Destructive = false, OpenWorld = false)]
    public static string Count(McpServer server, string text) =>
        Counts.AddOrUpdate(server.SessionId ?? "", 1, (_, count) => count + 1).ToString(CultureInfo.InvariantCulture);
}

/// <summary>State-changing call as a user of the SDK's own parts writes it for several processes: a key per session in Redis.</summary>
[McpServerToolType]
internal sealed class RedisStateTools
{
    [McpServerTool(Name = "count", Destructive = false, OpenWorld = false)]
    public static async Task<string> CountAsync(McpServer server, IConnectionMultiplexer redis, string text) =>
        (await redis.GetDatabase().StringIncrementAsync($"count:{server.SessionId}")).ToString(CultureInfo.InvariantCulture);
}
