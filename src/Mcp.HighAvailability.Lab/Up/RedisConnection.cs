using System.Net;
using Mcp.HighAvailability.Lab.Processes;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>The Redis that the user names with <c>--redis</c>.</summary>
internal static class RedisConnection
{
    /// <summary>Returns the addresses of a connection string, which may be shown.</summary>
    public static string Addresses(string connection) => string.Join(", ", Parse(connection).EndPoints.Select(Show));

    /// <summary>Makes sure that it answers, before anything is started on it.</summary>
    /// <exception cref="LabException">It does not; the message names the address and no secret.</exception>
    public static async Task CheckAsync(string connection)
    {
        var options = Parse(connection);
        options.AbortOnConnectFail = true;
        try
        {
            using var redis = await ConnectionMultiplexer.ConnectAsync(options);
            await redis.GetDatabase().PingAsync();
        }
        catch (Exception e) when (e is RedisConnectionException or RedisException or TimeoutException)
        {
            // The exception's own text may quote the connection string.
            var reason = e is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }
                || e.Message.Contains("NOAUTH", StringComparison.Ordinal)
                    ? "refuses the user or password given"
                    : "does not answer";
            throw new LabException($"The Redis at {Addresses(connection)} {reason}: check --redis, or leave it out to have one started.");
        }
    }

    private static ConfigurationOptions Parse(string connection)
    {
        try
        {
            var options = ConfigurationOptions.Parse(connection);
            if (options.EndPoints.Count > 0)
                return options;
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            // Said below, without the text, which may hold a password.
        }

        throw new LabException("--redis is not a connection string such as 127.0.0.1:6379 or redis.example:6380,password=...,ssl=true.");
    }

    private static string Show(EndPoint endPoint) => endPoint switch
    {
        // A host without a port is given the default one when it connects.
        DnsEndPoint dns => $"{dns.Host}:{(dns.Port == 0 ? 6379 : dns.Port)}",
        IPEndPoint ip => $"{ip.Address}:{(ip.Port == 0 ? 6379 : ip.Port)}",
        _ => endPoint.ToString() ?? "",
    };
}
