using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Lab.Bench.Server;

/// <summary>Keeps handshakes in Redis, so that the SDK opens a session in every process that is asked for it.</summary>
internal sealed class RedisSessionMigration(IConnectionMultiplexer redis) : ISessionMigrationHandler
{
    private static readonly TimeSpan Expiry = TimeSpan.FromHours(2);

    private static readonly JsonTypeInfo<InitializeRequestParams> HandshakeInfo =
        (JsonTypeInfo<InitializeRequestParams>)McpJsonUtilities.DefaultOptions.GetTypeInfo(typeof(InitializeRequestParams));

    public async ValueTask OnSessionInitializedAsync(
        HttpContext context, string sessionId, InitializeRequestParams initializeParams, CancellationToken cancellationToken) =>
        await redis.GetDatabase().StringSetAsync(Key(sessionId), JsonSerializer.SerializeToUtf8Bytes(initializeParams, HandshakeInfo), Expiry);

    public async ValueTask<InitializeRequestParams?> AllowSessionMigrationAsync(HttpContext context, string sessionId, CancellationToken cancellationToken)
    {
        var handshake = await redis.GetDatabase().StringGetAsync(Key(sessionId));
        return handshake.IsNull ? null : JsonSerializer.Deserialize((byte[])handshake!, HandshakeInfo);
    }

    private static string Key(string sessionId) => $"handshake:{sessionId}";
}
