using System.Text.Json.Nodes;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The durable side of a task that this replica owns: writes what its run does, one commit at a time, and hears of answers.</summary>
/// <remarks>What happens while a commit is on its way gathers in the next one. Thread-safe.</remarks>
internal sealed partial class OwnedTask : IDisposable
{
    // A status message alone waits so long for another one.
    private static readonly TimeSpan MessageInterval = TimeSpan.FromMilliseconds(500);

    // The store renews a life when half of it is over, so a commit for each quarter keeps a task.
    private const int RenewalsPerLife = 4;

    private readonly Lock _gate = new();
    private readonly ITaskStore _store;
    private readonly TaskCommits _commits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _lost = new();
    private readonly Dictionary<string, TaskCompletionSource<JsonNode?>> _questions = new(StringComparer.Ordinal);
    private readonly TaskCopy _copy;
    private readonly ITimer _messageTimer;
    private TaskBatch _next = new();
    private bool _writing;
    private long _lastCommit;
    private long _renewed;

    public OwnedTask(TaskSnapshot snapshot, ITaskStore store, TaskNotices notices, TimeProvider time, ILogger logger)
    {
        (_store, _time, _logger) = (store, time, logger);
        (Id, Epoch, Created, Task) = (snapshot.View.Id, snapshot.View.Epoch, snapshot.View.Created, snapshot.Task);
        _copy = new(snapshot);
        _renewed = time.GetTimestamp();
        Lost = _lost.Token;
        _commits = new(Id, Epoch, Copy, Lost, store, notices, time, logger);
        _messageTimer = time.CreateTimer(static state => ((OwnedTask)state!).Flush(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Id { get; }

    /// <summary>The epoch in which this replica owns the task.</summary>
    public long Epoch { get; }

    public DateTimeOffset Created { get; }

    /// <summary>Record with which the task began.</summary>
    public NewTask Task { get; }

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
            _next.Message = _copy.Message = message;
            if (_writing)
                return;
            wait = MessageInterval - _time.GetElapsedTime(_lastCommit);
        }

        _messageTimer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Asks the client, all questions in one commit. Returns the answers in the same order, at once what an earlier owner has got.</summary>
    /// <exception cref="OperationCanceledException">The task is not this replica's any more, or the tool gave up.</exception>
    public async Task<JsonNode?[]> AskAsync(IReadOnlyList<(string Key, ReadOnlyMemory<byte> Request)> questions, CancellationToken cancellationToken)
    {
        List<Task<JsonNode?>> answers;
        lock (_gate)
            answers = [.. questions.Select(question => AskLocked(question.Key, question.Request))];
        Flush();
        return await System.Threading.Tasks.Task.WhenAll(answers).WaitAsync(cancellationToken);
    }

    /// <summary>A checkpoint; <see langword="null"/>: there is none.</summary>
    public ReadOnlyMemory<byte>? Read(string key)
    {
        lock (_gate)
            return _copy.Read(key);
    }

    /// <summary>Writes a checkpoint; <see langword="null"/> removes it. Durable when it returns.</summary>
    /// <exception cref="OperationCanceledException">The task is not this replica's any more.</exception>
    public Task SaveAsync(string key, ReadOnlyMemory<byte>? value)
    {
        Task written;
        lock (_gate)
        {
            _copy.Save(key, value);
            _next.State.Add(new(key, value));
            written = _next.Written;
        }

        Flush();
        return written;
    }

    /// <summary>Ends the task, unless it has ended or is another replica's. Does not fail.</summary>
    /// <returns>Whether it has ended by this.</returns>
    public Task<bool> EndAsync(McpTaskStatus status, ReadOnlyMemory<byte> outcome, string? message = null) => AddAsync(batch =>
    {
        batch.End ??= (status, outcome);
        batch.Message = message ?? batch.Message;
    });

    /// <summary>Gives the task up, so that another replica takes it. Does not fail.</summary>
    public Task ReleaseAsync() => AddAsync(static batch => batch.Release = true);

    /// <summary>Takes up what has changed in the store: answers, a cancellation, another owner. A task that the store has lost is written back.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (Lost.IsCancellationRequested)
            return;
        var view = await _store.ReadAsync(Id, cancellationToken);
        if (view is null || view.Epoch < Epoch)
        {
            await WriteBackAsync();
            return;
        }

        if (view.Status.IsTerminal() || view.Epoch != Epoch)
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
                _copy.Answer(input, answer);
                if (_questions.Remove(input.Key, out var question))
                    answered.Add((question, answer));
            }

            _copy.TakeNote(view);
        }

        foreach (var (question, answer) in answered)
            question.TrySetResult(JsonNode.Parse(answer.Span));
    }

    /// <summary>Sees to it that the store has the task, and has it as this replica's. Ends the run if it is another one's, or has ended.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task WriteBackAsync()
    {
        if (!Lost.IsCancellationRequested && await _commits.WriteBackAsync() != TaskCommit.Committed)
            Lose();
    }

    /// <summary>Renews the time to live of a task that has changed nothing for a while.</summary>
    public void KeepAlive()
    {
        lock (_gate)
        {
            if (_writing || _time.GetElapsedTime(_renewed) < Task.TimeToLive / RenewalsPerLife)
                return;
            _next.Renew = true;
        }

        Flush();
    }

    public void Dispose() => _messageTimer.Dispose();

    private async Task<bool> AddAsync(Action<TaskBatch> add)
    {
        Task written;
        lock (_gate)
        {
            add(_next);
            written = _next.Written;
        }

        Flush();
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return written.IsCompletedSuccessfully;
    }

    private Task<JsonNode?> AskLocked(string key, ReadOnlyMemory<byte> request)
    {
        if (_copy.AnswerTo(key) is { } answer)
            return System.Threading.Tasks.Task.FromResult(JsonNode.Parse(answer.Span));
        Lost.ThrowIfCancellationRequested();
        var question = _questions[key] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _next.Inputs[key] = request;
        _copy.Ask(key, request);
        return question.Task;
    }

    private TaskSnapshot Copy()
    {
        lock (_gate)
            return _copy.ToSnapshot();
    }

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
        var (result, isListened) = await _commits.CommitAsync(change);
        if (result != TaskCommit.Committed)
        {
            Lose();
            batch.Cancel(Lost);
            return;
        }

        lock (_gate)
        {
            _renewed = _time.GetTimestamp();
            _copy.Committed(change, isListened);
        }

        if (change.End is not null || change.Release)
            Lose();
        batch.Succeed();
        if (isListened && !change.IsEmpty)
            await _commits.AnnounceAsync();
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Task {TaskId}: a change cannot be written. This run ends, and the task is taken over again.")]
    private partial void LogFailed(Exception exception, string taskId);
}
