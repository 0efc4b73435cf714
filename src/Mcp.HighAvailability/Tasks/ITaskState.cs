namespace Mcp.HighAvailability;

/// <summary>Checkpoints of a long-running tool: values by key, JSON, that a rerun on another replica finds again. Inject it into a tool.</summary>
/// <remarks>
/// A write of a task is durable when the call returns. It is refused, with <see cref="OperationCanceledException"/>, when another replica has taken the
/// task over. In a call that is not a task the values last as long as the call. Keys are 1 to 256 characters.
/// </remarks>
/// <exception cref="InvalidOperationException">Used outside a call.</exception>
public interface ITaskState
{
    /// <summary>The task that the current call is; <see langword="null"/> for an ordinary call.</summary>
    string? TaskId { get; }

    /// <summary>How many replicas have worked on the task before this one. 0 in an ordinary call.</summary>
    int Reruns { get; }

    /// <summary>Reads a value; <see langword="default"/> when the key is not set.</summary>
    ValueTask<T?> GetAsync<T>(string key, CancellationToken cancellationToken = default);

    /// <summary>Sets a value.</summary>
    ValueTask SetAsync<T>(string key, T value, CancellationToken cancellationToken = default);

    /// <summary>Removes a value.</summary>
    ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default);
}
