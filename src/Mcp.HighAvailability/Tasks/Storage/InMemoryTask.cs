namespace Mcp.HighAvailability.Tasks;

/// <summary>A task as <see cref="InMemoryTaskStore"/> keeps it, which guards it.</summary>
internal sealed class InMemoryTask(NewTask task, DateTimeOffset created)
{
    private readonly SortedDictionary<string, TaskInput> _inputs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _state = new(StringComparer.Ordinal);
    private NewTask _task = task;
    private TimeSpan _timeToLive = task.TimeToLive;
    private readonly DateTimeOffset _created = created;
    private DateTimeOffset _updated = created;
    private string _message = "";
    private ReadOnlyMemory<byte> _outcome;
    private long _version = 1;
    private int _losses;

    /// <summary>A task that its owner has written back.</summary>
    public InMemoryTask(TaskSnapshot snapshot, DateTimeOffset now)
        : this(snapshot.Task, snapshot.View.Created)
    {
        var view = snapshot.View;
        (Owner, Epoch, Status, IsListened) = (view.Owner, view.Epoch, view.Status, view.IsListened);
        (_updated, _message, _version, _losses) = (view.Updated, view.Message, view.Version, snapshot.Losses);
        foreach (var input in view.Inputs)
            _inputs[input.Key] = input;
        foreach (var (key, value) in snapshot.State)
            _state[key] = value;
        _timeToLive = now - _created + _task.TimeToLive;
    }

    public string Id => _task.Id;

    public string User => _task.User;

    public string Exchange => _task.Exchange;

    public string Owner { get; private set; } = task.Owner;

    public long Epoch { get; set; } = 1;

    public McpTaskStatus Status { get; private set; }

    /// <summary>Whether a client listens to it.</summary>
    public bool IsListened { get; set; }

    public DateTimeOffset Expires => _created + _timeToLive;

    public bool BelongsTo(string user) => User.Length == 0 || User == user;

    public TaskView View() => new()
    {
        Id = Id,
        Status = Status,
        Message = _message,
        Created = _created,
        Updated = _updated,
        TimeToLive = _timeToLive,
        PollInterval = _task.PollInterval,
        User = User,
        Owner = Owner,
        Epoch = Epoch,
        Version = _version,
        Inputs = [.. _inputs.Values],
        Outcome = _outcome,
        IsListened = IsListened,
    };

    public TaskSnapshot Snapshot() => new(View(), _task with { Owner = Owner, Exchange = "" }, _losses, new Dictionary<string, ReadOnlyMemory<byte>>(_state));

    public void Apply(TaskChange change, DateTimeOffset now)
    {
        _message = change.Message ?? _message;
        foreach (var (key, request) in change.Inputs)
            _inputs.TryAdd(key, new(key, request, null));
        foreach (var (key, value) in change.State)
        {
            if (value is { } set)
                _state[key] = set;
            else
                _state.Remove(key);
        }

        if (change.Release)
        {
            Owner = TaskOwners.None;
            Epoch++;
        }

        Renew(now, ended: change.End is not null);
        if (change.End is { } end)
        {
            (Status, _outcome) = (end, change.Outcome);
            _task = _task with { Request = default, Identity = default };
            _inputs.Clear();
            _state.Clear();
        }

        if (!change.IsEmpty)
            Changed(now);
    }

    public void Answer(IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, DateTimeOffset now)
    {
        var any = false;
        foreach (var (key, answer) in answers)
        {
            if (!_inputs.TryGetValue(key, out var input) || input.Answer is not null)
                continue;
            _inputs[key] = input with { Answer = answer };
            any = true;
        }

        if (any)
            Changed(now);
    }

    public void Move(string owner, bool lost, DateTimeOffset now)
    {
        Owner = owner;
        Epoch++;
        _losses += lost ? 1 : 0;
        Renew(now, ended: false);
        Changed(now);
    }

    private void Renew(DateTimeOffset now, bool ended)
    {
        if (ended || Expires - now < _task.TimeToLive / 2)
            _timeToLive = now - _created + _task.TimeToLive;
    }

    private void Changed(DateTimeOffset now)
    {
        _updated = now;
        _version++;
        if (!Status.IsTerminal())
            Status = _inputs.Values.Any(input => input.Answer is null) ? McpTaskStatus.InputRequired : McpTaskStatus.Working;
    }
}
