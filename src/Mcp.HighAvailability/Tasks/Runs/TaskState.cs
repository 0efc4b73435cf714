using System.Text.Json;
using Mcp.HighAvailability.Sessions;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Task state for tools: leads to the checkpoints of the current call.</summary>
internal sealed class TaskState : ITaskState
{
    private const int MaxKeyLength = 256;

    // Of calls that run without any of this: clients without tasks, tools that are none.
    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<CallScope, Dictionary<string, byte[]>> Ordinary = [];

    public string? TaskId => (CallScope.Current as TaskRun)?.Owned?.Id;

    public int Reruns => (int)Math.Max(0, ((CallScope.Current as TaskRun)?.Owned?.Epoch ?? 1) - 1);

    public ValueTask<T?> GetAsync<T>(string key, CancellationToken cancellationToken = default)
    {
        Check(key);
        var value = Call is TaskRun run ? run.Read(key) : ReadOrdinary(key);
        return new(value is { } json ? JsonSerializer.Deserialize<T>(json.Span, JsonSerializerOptions.Web) : default);
    }

    public ValueTask SetAsync<T>(string key, T value, CancellationToken cancellationToken = default) =>
        WriteAsync(key, JsonSerializer.SerializeToUtf8Bytes(value, JsonSerializerOptions.Web), cancellationToken);

    public ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default) => WriteAsync(key, null, cancellationToken);

    private static CallScope Call => CallScope.Current
        ?? throw new InvalidOperationException("Checkpoints are available only while a call is handled. This code runs outside a call.");

    private static async ValueTask WriteAsync(string key, byte[]? value, CancellationToken cancellationToken)
    {
        Check(key);
        if (Call is TaskRun run)
        {
            await run.SaveAsync(key, value is null ? default(ReadOnlyMemory<byte>?) : value).WaitAsync(cancellationToken);
            return;
        }

        var values = Ordinary.GetOrCreateValue(Call);
        lock (values)
        {
            if (value is null)
                values.Remove(key);
            else
                values[key] = value;
        }
    }

    private static ReadOnlyMemory<byte>? ReadOrdinary(string key)
    {
        var values = Ordinary.GetOrCreateValue(Call);
        lock (values)
            return values.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);
    }

    private static void Check(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (key.Length > MaxKeyLength)
            throw new ArgumentException($"A key has at most {MaxKeyLength} characters; this one has {key.Length}. Shorten it.", nameof(key));
    }
}
