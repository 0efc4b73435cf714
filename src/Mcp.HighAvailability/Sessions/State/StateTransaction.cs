using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mcp.HighAvailability.Sessions;

/// <summary>One call's view of a bag of state: committed values underneath, its own writes on top.</summary>
internal abstract class StateTransaction : IStateBag
{
    private const int MaxKeyLength = 256;

    // UTF-8 and not ASCII, as messages are written.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _writes = [];

    /// <summary>The writes of the call, in no particular order; <see langword="null"/> removes.</summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> Writes
    {
        get
        {
            lock (_writes)
                return [.. _writes];
        }
    }

    public async ValueTask<T?> GetAsync<T>(string key, CancellationToken cancellationToken = default)
    {
        Check(key);
        var committed = await ReadAsync(cancellationToken).ConfigureAwait(false);
        return Value<T>(key, committed);
    }

    public async ValueTask SetAsync<T>(string key, T value, CancellationToken cancellationToken = default)
    {
        Check(key);
        await ReadAsync(cancellationToken).ConfigureAwait(false);
        Write(key, JsonSerializer.SerializeToUtf8Bytes(value, Json));
    }

    public async ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        Check(key);
        await ReadAsync(cancellationToken).ConfigureAwait(false);
        Write(key, null);
    }

    public async ValueTask<T> UpdateAsync<T>(string key, Func<T?, T> update, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(update);
        Check(key);
        var committed = await ReadAsync(cancellationToken).ConfigureAwait(false);
        lock (_writes)
        {
            var value = update(Value<T>(key, committed));
            Write(key, JsonSerializer.SerializeToUtf8Bytes(value, Json));
            return value;
        }
    }

    /// <summary>The committed values; the first touch waits until this call alone may touch the bag.</summary>
    protected abstract ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadAsync(CancellationToken cancellationToken);

    private static void Check(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (key.Length > MaxKeyLength)
        {
            throw new ArgumentException(
                $"A state key has at most {MaxKeyLength} characters; this one has {key.Length}. Shorten the key, and move variable parts into the value.",
                nameof(key));
        }
    }

    private T? Value<T>(string key, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> committed)
    {
        lock (_writes)
        {
            if (_writes.TryGetValue(key, out var own))
                return own is { } written ? JsonSerializer.Deserialize<T>(written.Span, Json) : default;
        }

        return committed.TryGetValue(key, out var value) ? JsonSerializer.Deserialize<T>(value.Span, Json) : default;
    }

    private void Write(string key, ReadOnlyMemory<byte>? value)
    {
        lock (_writes)
            _writes[key] = value;
    }
}
