using System.Text;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>Sessions, commits and entries for the contract tests.</summary>
internal static class SessionSamples
{
    public static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    public static readonly Dictionary<string, ReadOnlyMemory<byte>> NoState = [];

    public static string NewId() => "t-" + Guid.NewGuid().ToString("N");

    public static ReadOnlyMemory<byte> Utf8(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> payload) => Encoding.UTF8.GetString(payload.Span);

    public static SessionRecord Record(string id, string owner = "a") => new()
    {
        Id = id,
        Owner = owner,
        Epoch = 1,
        User = "user:ü",
        TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ProtocolVersion = "2025-11-25",
        Created = Now,
        Handshake = new Dictionary<string, ReadOnlyMemory<byte>> { [HandshakeKeys.Initialize] = Utf8("""{"method":"initialize"}""") },
    };

    public static JournalEntry Entry(long position, string stream = "s1", string payload = "{}", long previous = 0, DateTimeOffset? time = null) => new()
    {
        Position = position,
        Stream = stream,
        Previous = previous,
        Payload = Utf8(payload),
        Time = time ?? Now,
    };

    public static SessionCommit Commit(long number, long epoch = 1, params JournalEntry[] append) => new()
    {
        Epoch = epoch,
        Number = number,
        LastPosition = append.Length == 0 ? 0 : append[^1].Position,
        Append = append,
    };

    public static KeyValuePair<string, ReadOnlyMemory<byte>?> Set(string key, string value) => new(key, Utf8(value));

    public static KeyValuePair<string, ReadOnlyMemory<byte>?> Remove(string key) => new(key, null);

    public static Dictionary<string, string> Texts(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> values) =>
        values.ToDictionary(value => value.Key, value => Text(value.Value));

    public static async Task<string> CreatedAsync(ISessionStore store)
    {
        var id = NewId();
        Assert.True(await store.CreateAsync(Record(id)));
        return id;
    }

    /// <summary>Reads everything, by taking the session over at whatever epoch it has, unless it is at 2 with owner <c>b</c> already.</summary>
    public static async Task<SessionSnapshot> SnapshotAsync(ISessionStore store, string id) =>
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;

    public static ReplicaInfo Replica() => new(
        NewId(), new Uri("http://127.0.0.1:5300/"), Draining: false, Sessions: 2, Calls: 1, Now, "1.2.3+ü", ProcessId: 42);
}
