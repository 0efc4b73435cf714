namespace Mcp.HighAvailability.Tasks;

/// <summary>Changes for the next commit of a task. Guarded by <see cref="OwnedTask"/>.</summary>
internal sealed class TaskBatch
{
    private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? Message { get; set; }

    public Dictionary<string, ReadOnlyMemory<byte>> Inputs { get; } = new(StringComparer.Ordinal);

    public List<KeyValuePair<string, ReadOnlyMemory<byte>?>> State { get; } = [];

    public (McpTaskStatus Status, ReadOnlyMemory<byte> Outcome)? End { get; set; }

    public bool Release { get; set; }

    /// <summary>The time to live is to be renewed, whatever else there is.</summary>
    public bool Renew { get; set; }

    /// <summary>Completes when the batch is in the store.</summary>
    public Task Written => _written.Task;

    public bool IsEmpty => Message is null && Inputs.Count == 0 && State.Count == 0 && End is null && !Release && !Renew;

    public TaskChange ToChange() => new()
    {
        Message = Message,
        Inputs = Inputs,
        State = State,
        End = End?.Status,
        Outcome = End?.Outcome ?? default,
        Release = Release && End is null,
    };

    public void Succeed() => _written.TrySetResult();

    public void Cancel(CancellationToken lost) => _written.TrySetCanceled(lost);

    public void Fail(Exception fault)
    {
        _written.TrySetException(fault);
        _ = _written.Task.Exception;
    }
}
