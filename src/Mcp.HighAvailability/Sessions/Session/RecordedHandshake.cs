using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// The beginning of a session as it is recorded: the revision, the client, its capabilities, log level and subscriptions, and nothing else of its
/// messages.
/// </summary>
/// <remarks>Bounded by <see cref="Limits.LimitOptions.HandshakeBytesPerSession"/>. Plain data, part of <see cref="SessionCore"/>.</remarks>
internal sealed class RecordedHandshake
{
    private static readonly ReadOnlyMemory<byte> Nothing = Array.Empty<byte>();

    // What a new owner's server has to hear of an 'initialize'.
    private static readonly string[] InitializeMembers = ["protocolVersion", "capabilities", "clientInfo"];

    private readonly Dictionary<string, ReadOnlyMemory<byte>> _entries;

    public RecordedHandshake(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> entries)
    {
        _entries = new(entries);
        foreach (var (key, value) in entries)
            Count(key, value, 1);
    }

    /// <summary>Bytes of all entries, keys included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Subscribed resources.</summary>
    public int Subscriptions { get; private set; }

    public bool Contains(string key) => _entries.ContainsKey(key);

    public ReadOnlyMemory<byte>? Find(string key) => _entries.TryGetValue(key, out var value) ? value : null;

    /// <summary>The log level of a recorded value; <see langword="null"/> if there is none.</summary>
    public static LoggingLevel? LogLevel(ReadOnlyMemory<byte>? value) =>
        value is { } bytes && Enum.TryParse<LoggingLevel>(Encoding.UTF8.GetString(bytes.Span), ignoreCase: true, out var level) ? level : null;

    /// <summary>All of it, as <see cref="SessionRecord.Handshake"/>.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Copy() => new Dictionary<string, ReadOnlyMemory<byte>>(_entries);

    public void Set(string key, ReadOnlyMemory<byte>? value)
    {
        if (_entries.Remove(key, out var before))
            Count(key, before, -1);
        if (value is not { } after)
            return;
        _entries[key] = after;
        Count(key, after, 1);
    }

    /// <summary>How many bytes a change adds.</summary>
    public long Growth(string key, ReadOnlyMemory<byte>? value) =>
        (value is { } after ? Size(key, after) : 0) - (_entries.TryGetValue(key, out var before) ? Size(key, before) : 0);

    /// <summary>
    /// How much would be recorded with a change and those of the calls that are open: subscriptions and bytes. Zero if the change adds nothing.
    /// </summary>
    public (int Subscriptions, long Bytes) With(KeyValuePair<string, ReadOnlyMemory<byte>?> change, string method, IEnumerable<OpenCall> open)
    {
        if (Growth(change.Key, change.Value) is not (> 0 and var growth))
            return default;
        var (subscriptions, bytes) = (Subscriptions + 1, Bytes + growth);
        foreach (var call in open)
        {
            if (call.Method != RequestMethods.ResourcesSubscribe || Change(call.Request) is not { } other || other.Key == change.Key)
                continue;
            if (Growth(other.Key, other.Value) is > 0 and var more)
                (subscriptions, bytes) = (subscriptions + 1, bytes + more);
        }

        return (method == RequestMethods.ResourcesSubscribe ? subscriptions : 0, bytes);
    }

    /// <summary>Returns the part of the record that a client's request adds if it succeeds; <see langword="null"/>: none.</summary>
    public static KeyValuePair<string, ReadOnlyMemory<byte>?>? Change(JsonRpcRequest request) => request.Method switch
    {
        RequestMethods.Initialize => new(HandshakeKeys.Initialize, Initialize(request)),
        RequestMethods.LoggingSetLevel when JsonRpc.TextParam(request.Params, "level") is { } level =>
            new(HandshakeKeys.LogLevel, Encoding.UTF8.GetBytes(level)),
        RequestMethods.ResourcesSubscribe when JsonRpc.TextParam(request.Params, "uri") is { } uri => new(HandshakeKeys.Subscription + uri, Nothing),
        RequestMethods.ResourcesUnsubscribe when JsonRpc.TextParam(request.Params, "uri") is { } uri => new(HandshakeKeys.Subscription + uri, null),
        _ => null,
    };

    /// <summary>The recorded value of a client's <c>initialize</c>: what a server has to know of it.</summary>
    public static ReadOnlyMemory<byte> Initialize(JsonRpcRequest initialize)
    {
        var kept = new JsonObject();
        foreach (var member in InitializeMembers)
        {
            if (initialize.Params is JsonObject parameters && parameters[member] is { } value)
                kept[member] = value.DeepClone();
        }

        return JsonSerializer.SerializeToUtf8Bytes(kept);
    }

    /// <summary>The recorded value of <c>notifications/initialized</c>.</summary>
    public static ReadOnlyMemory<byte> Initialized => Nothing;

    /// <summary>The messages that bring a fresh server to where the session is, in their order.</summary>
    /// <exception cref="JsonException">The record is damaged.</exception>
    public static IEnumerable<JsonRpcMessage> Messages(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> entries)
    {
        if (entries.TryGetValue(HandshakeKeys.Initialize, out var initialize))
            yield return Request(RequestMethods.Initialize, JsonNode.Parse(initialize.Span));
        if (entries.ContainsKey(HandshakeKeys.Initialized))
            yield return new JsonRpcNotification { Method = NotificationMethods.InitializedNotification };
        if (entries.TryGetValue(HandshakeKeys.LogLevel, out var level))
            yield return Request(RequestMethods.LoggingSetLevel, new JsonObject { ["level"] = Encoding.UTF8.GetString(level.Span) });
        foreach (var key in entries.Keys.Where(IsSubscription).Order(StringComparer.Ordinal))
            yield return Request(RequestMethods.ResourcesSubscribe, new JsonObject { ["uri"] = key[HandshakeKeys.Subscription.Length..] });
    }

    /// <summary>Whether the record names subscribed resources.</summary>
    public static bool HasSubscriptions(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> entries) => entries.Keys.Any(IsSubscription);

    private static JsonRpcRequest Request(string method, JsonNode? parameters) =>
        new() { Id = new RequestId("handshake"), Method = method, Params = parameters };

    private static bool IsSubscription(string key) => key.StartsWith(HandshakeKeys.Subscription, StringComparison.Ordinal);

    private static long Size(string key, ReadOnlyMemory<byte> value) => Encoding.UTF8.GetByteCount(key) + value.Length;

    private void Count(string key, ReadOnlyMemory<byte> value, int sign)
    {
        Bytes += sign * Size(key, value);
        if (IsSubscription(key))
            Subscriptions += sign;
    }
}
