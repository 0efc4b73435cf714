using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Classifies exceptions of the Redis client.</summary>
internal static class RedisFaults
{
    // Server errors that pass by themselves or by a repair of the server, not by a change here.
    private static readonly string[] Passing =
        ["NOSCRIPT", "LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "OOM", "BUSY", "NOAUTH", "WRONGPASS"];

    public static bool Concerns(Exception fault, CancellationToken cancellationToken) => fault
        is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or IOException or SocketException
        || IsBrokenWrite(fault)
        || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    public static bool IsUnknownScript(RedisServerException fault) => fault.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);

    /// <summary>Why Redis counts as away; <see langword="null"/> when it does not. Holds no part of the connection string.</summary>
    public static string? Unavailability(Exception fault) => fault switch
    {
        TimeoutException => "did not answer in time",
        RedisConnectionException or RedisCommandException or IOException or SocketException => "cannot be reached",
        ObjectDisposedException or OperationCanceledException => "is not used any more, the connection was closed",
        RedisServerException server when Passing.FirstOrDefault(word => Names(server, word)) is { } word => $"refuses the command ({word})",
        _ when IsBrokenWrite(fault) => "cannot be reached",
        _ => null,
    };

    // The connection ended while the client wrote to it: the client lets what the pipe throws through as it is.
    private static bool IsBrokenWrite(Exception fault) =>
        fault is InvalidOperationException { Source: "System.IO.Pipelines" or "Pipelines.Sockets.Unofficial" };

    public static bool IsWrongType(Exception fault) => fault is RedisServerException && fault.Message.Contains("WRONGTYPE", StringComparison.Ordinal);

    public static bool IsGarbage(Exception fault) => fault is RedisServerException server && Names(server, RedisScripts.Garbage);

    public static InvalidDataException InvalidRecord(RedisKey key, Exception? inner = null) =>
        new($"Redis key '{key}' holds a value of another program. Remove the key, or set another HighAvailability:Redis:KeyPrefix.", inner);

    /// <summary>Where Redis is, as configured, without credentials.</summary>
    public static string Addresses(IConnectionMultiplexer multiplexer) => Addresses(multiplexer.GetEndPoints(configuredOnly: true));

    public static string Addresses(IEnumerable<EndPoint> endpoints) => string.Join(", ", endpoints.Select(endpoint => endpoint switch
    {
        DnsEndPoint name => $"{name.Host}:{name.Port}",
        _ => endpoint.ToString(),
    }));

    // An error of a command inside a script may come with words of the script engine around it.
    private static bool Names(RedisServerException fault, string word)
    {
        var at = fault.Message.IndexOf(word, StringComparison.Ordinal);
        return at == 0 || (at > 0 && fault.Message[at - 1] is ' ' or '-');
    }
}
