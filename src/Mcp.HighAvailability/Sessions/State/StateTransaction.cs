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
        return Parse<T>(Find(key, committed));
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
        while (true)
        {
            // Outside the lock: the function may take long, and the session's turn reads the writes when the call is answered.
            var before = Find(key, committed);
            var value = update(Parse<T>(before));
            var bytes = JsonSerializer.SerializeToUtf8Bytes(value, Json);
            lock (_writes)
            {
                // The memory itself tells: each write has its own.
                if (!Nullable.Equals(Find(key, committed), before))
                    continue;
                _writes[key] = bytes;
                return value;
            }
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

    private ReadOnlyMemory<byte>? Find(string key, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> committed)
    {
        lock (_writes)
        {
            if (_writes.TryGetValue(key, out var own))
                return own;
        }

        return committed.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);
    }

    private static T? Parse<T>(ReadOnlyMemory<byte>? value) => value is { } bytes ? JsonSerializer.Deserialize<T>(bytes.Span, Json) : default;

    private void Write(string key, ReadOnlyMemory<byte>? value)
    {
        lock (_writes)
            _writes[key] = value;
    }
}
