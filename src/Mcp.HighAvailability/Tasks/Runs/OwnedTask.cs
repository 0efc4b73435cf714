using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The durable side of a task that this replica owns: writes what its run does, one commit at a time, and hears of answers.</summary>
/// <remarks>What happens while a commit is on its way gathers in the next one. Thread-safe.</remarks>
internal sealed partial class OwnedTask : IDisposable
{
    // A status message alone waits so long for another one.
    private static readonly TimeSpan MessageInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly ITaskStore _store;
    private readonly TaskNotices _notices;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _lost = new();
    private readonly Dictionary<string, TaskCompletionSource<JsonNode?>> _questions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _answers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _state;
    private readonly ITimer _messageTimer;
    private TaskBatch _next = new();
    private bool _writing;
    private long _lastCommit;

    public OwnedTask(TaskSnapshot snapshot, ITaskStore store, TaskNotices notices, TimeProvider time, ILogger logger)
    {
        (_store, _notices, _time, _logger) = (store, notices, time, logger);
        (Id, Epoch, Created, Task, Losses) = (snapshot.View.Id, snapshot.View.Epoch, snapshot.View.Created, snapshot.Task, snapshot.Losses);
        _state = new(snapshot.State, StringComparer.Ordinal);
        foreach (var input in snapshot.View.Inputs)
        {
            if (input.Answer is { } answer)
                _answers[input.Key] = answer;
        }

        Lost = _lost.Token;
        _messageTimer = time.CreateTimer(static state => ((OwnedTask)state!).Flush(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Id { get; }

    /// <summary>The epoch in which this replica owns the task.</summary>
    public long Epoch { get; }

    public DateTimeOffset Created { get; }

    /// <summary>Record with which the task began.</summary>
    public NewTask Task { get; }

    /// <summary>Replicas that were lost with it.</summary>
    public int Losses { get; }

    /// <summary>Ends when the task is not this replica's any more: ended, cancelled, taken over, or given up.</summary>
    public CancellationToken Lost { get; }

    /// <summary>Whether the task waits for an answer of its client.</summary>
    public bool Waits
    {
        get
        {
            lock (_gate)
                return _questions.Count > 0;
        }
    }

    /// <summary>Shows a status message. Messages that follow one another quickly are written together, and only the last of them counts.</summary>
    public void Show(string message)
    {
        TimeSpan wait;
        lock (_gate)
        {
            _next.Message = message;
            if (_writing)
                return;
            wait = MessageInterval - _time.GetElapsedTime(_lastCommit);
        }

        _messageTimer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Asks the client. Returns its answer, at once if an earlier owner has got it.</summary>
    /// <exception cref="OperationCanceledException">The task is not this replica's any more, or the tool gave up.</exception>
    public async Task<JsonNode?> AskAsync(string key, ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        TaskCompletionSource<JsonNode?> question;
        lock (_gate)
        {
            if (_answers.TryGetValue(key, out var answer))
                return JsonNode.Parse(answer.Span);
            Lost.ThrowIfCancellationRequested();
            _questions[key] = question = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _next.Inputs[key] = request;
        }

        Flush();
        return await question.Task.WaitAsync(cancellationToken);
    }

    /// <summary>A checkpoint; <see langword="null"/>: there is none.</summary>
    public ReadOnlyMemory<byte>? Read(string key)
    {
        lock (_gate)
            return _state.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);
    }

    /// <summary>Writes a checkpoint; <see langword="null"/> removes it. Durable when it returns.</summary>
    /// <exception cref="OperationCanceledException">The task is not this replica's any more.</exception>
    public Task SaveAsync(string key, ReadOnlyMemory<byte>? value)
    {
        Task written;
        lock (_gate)
        {
            if (value is { } set)
                _state[key] = set;
            else
                _state.Remove(key);
            _next.State.Add(new(key, value));
            written = _next.Written;
        }

        Flush();
        return written;
    }

    /// <summary>Ends the task, unless it has ended or is another replica's. Does not fail.</summary>
    public async Task EndAsync(McpTaskStatus status, ReadOnlyMemory<byte> outcome, string? message = null)
    {
        Task written;
        lock (_gate)
        {
            _next.End ??= (status, outcome);
            _next.Message = message ?? _next.Message;
            written = _next.Written;
        }

        Flush();
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Gives the task up, so that another replica takes it. Does not fail.</summary>
    public async Task ReleaseAsync()
    {
        Task written;
        lock (_gate)
        {
            _next.Release = true;
            written = _next.Written;
        }

        Flush();
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Takes up what has changed in the store: answers, a cancellation, another owner.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (Lost.IsCancellationRequested)
            return;
        var view = await _store.ReadAsync(Id, cancellationToken);
        if (view is null || view.Status.IsTerminal() || view.Epoch != Epoch)
        {
            Lose();
            return;
        }

        List<(TaskCompletionSource<JsonNode?> Question, ReadOnlyMemory<byte> Answer)> answered = [];
        lock (_gate)
        {
            foreach (var input in view.Inputs)
            {
                if (input.Answer is not { } answer)
                    continue;
                _answers[input.Key] = answer;
                if (_questions.Remove(input.Key, out var question))
                    answered.Add((question, answer));
            }
        }

        foreach (var (question, answer) in answered)
            question.TrySetResult(JsonNode.Parse(answer.Span));
    }

    public void Dispose() => _messageTimer.Dispose();

    private void Flush()
    {
        lock (_gate)
        {
            if (_writing || _next.IsEmpty)
                return;
            _writing = true;
        }

        _ = WriteAsync();
    }

    private async Task WriteAsync()
    {
        while (true)
        {
            TaskBatch batch;
            lock (_gate)
            {
                _lastCommit = _time.GetTimestamp();
                if (_next.IsEmpty)
                {
                    _writing = false;
                    return;
                }

                (batch, _next) = (_next, new());
            }

            try
            {
                await CommitAsync(batch);
            }
            catch (Exception e)
            {
                // The store refuses this change, and will refuse it again.
                LogFailed(e, Id);
                batch.Fail(e);
                Lose();
            }
        }
    }

    private async Task CommitAsync(TaskBatch batch)
    {
        var change = batch.ToChange();
        while (true)
        {
            try
            {
                var result = Lost.IsCancellationRequested ? TaskCommit.Fenced : await _store.CommitAsync(Id, Epoch, change);
                if (result != TaskCommit.Committed)
                {
                    if (!Lost.IsCancellationRequested)
                        LogRefused(Id, result);
                    Lose();
                    batch.Cancel(Lost);
                    return;
                }

                if (change.End is not null || change.Release)
                    Lose();
                batch.Succeed();
                await _notices.ChangedAsync(Id);
                return;
            }
            catch (StoreUnavailableException e)
            {
                LogLater(Id, e.Message);
                await System.Threading.Tasks.Task.Delay(Retry, _time, Lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Lose()
    {
        List<TaskCompletionSource<JsonNode?>> open;
        lock (_gate)
        {
            open = [.. _questions.Values];
            _questions.Clear();
        }

        // Callbacks are the tool's, and run elsewhere.
        _ = _lost.CancelAsync();
        foreach (var question in open)
            question.TrySetCanceled(Lost);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Task {TaskId}: the store refused a change ({Result}). The run ends here.")]
    private partial void LogRefused(string taskId, TaskCommit result);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Task {TaskId}: the store is away, its change is written later: {Reason}")]
    private partial void LogLater(string taskId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Task {TaskId}: a change cannot be written. The run ends here, and the task is taken up again.")]
    private partial void LogFailed(Exception exception, string taskId);
}
