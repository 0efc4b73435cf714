using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>A connection of one test. Closes at once: the client's own disposal may wait for commands to complete.</summary>
internal sealed class RedisClient(string connectionString) : IDisposable
{
    public ConnectionMultiplexer Multiplexer { get; } = ConnectionMultiplexer.Connect(connectionString);

    public IDatabase Database => Multiplexer.GetDatabase();

    public void Dispose()
    {
        Multiplexer.Close(allowCommandsToComplete: false);
        Multiplexer.Dispose();
    }
}
