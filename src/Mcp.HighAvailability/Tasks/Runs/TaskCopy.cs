namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// What the owner of a task knows of it: enough to go on, and to write it back when the store has lost it. Guarded by <see cref="OwnedTask"/>.
/// </summary>
internal sealed class TaskCopy
{
    private readonly TaskSnapshot _begun;
    private readonly SortedDictionary<string, TaskInput> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _state;
    private bool _isListened;
    private long _version;

    public TaskCopy(TaskSnapshot begun)
    {
        _begun = begun;
        _state = new(begun.State, StringComparer.Ordinal);
        Message = begun.View.Message;
        foreach (var input in begun.View.Inputs)
            _inputs[input.Key] = input;
        TakeNote(begun.View);
    }

    public string Message { get; set; }

    /// <summary>The client's answer to a question; <see langword="null"/>: there is none yet.</summary>
    public ReadOnlyMemory<byte>? AnswerTo(string key) => _inputs.TryGetValue(key, out var input) ? input.Answer : null;

    public void Ask(string key, ReadOnlyMemory<byte> request) => _inputs.TryAdd(key, new(key, request, null));

    public void Answer(TaskInput input, ReadOnlyMemory<byte> answer) => _inputs[input.Key] = input with { Answer = answer };

    public ReadOnlyMemory<byte>? Read(string key) => _state.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);

    public void Save(string key, ReadOnlyMemory<byte>? value)
    {
        if (value is { } set)
            _state[key] = set;
        else
            _state.Remove(key);
    }

    /// <summary>Notes what the store says.</summary>
    public void TakeNote(TaskView view)
    {
        _version = Math.Max(_version, view.Version);
        _isListened |= view.IsListened;
    }

    /// <summary>Notes a commit.</summary>
    public void Committed(TaskChange change, bool isListened)
    {
        _version += change.IsEmpty ? 0 : 1;
        _isListened |= isListened;
    }

    /// <summary>
    /// The task as it is to be written back. Its version is above any that a listener may have seen: each question may have got an answer unheard.
    /// </summary>
    public TaskSnapshot ToSnapshot() => _begun with
    {
        View = _begun.View with
        {
            Status = _inputs.Values.Any(input => input.Answer is null) ? McpTaskStatus.InputRequired : McpTaskStatus.Working,
            Message = Message,
            Version = _version + _inputs.Count + 1,
            Inputs = [.. _inputs.Values],
            IsListened = _isListened,
        },
        State = new Dictionary<string, ReadOnlyMemory<byte>>(_state),
    };
}
