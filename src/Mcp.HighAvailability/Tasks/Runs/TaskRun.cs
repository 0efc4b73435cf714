using System.Security.Claims;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>One run of a tool. To the SDK it is the transport that everything belonging to the call goes through.</summary>
/// <remarks>A run of <see cref="TaskMode.AfterDelay"/> begins as an ordinary call, and becomes a task by <see cref="Attach"/>.</remarks>
internal sealed class TaskRun : CallScope, ITransport
{
    /// <summary>The progress token that the tool gets.</summary>
    public const string ProgressToken = "task";

    private readonly Channel<JsonRpcMessage> _nothing = Channel.CreateBounded<JsonRpcMessage>(1);
    private TaskCompletionSource<JsonRpcMessageWithId> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<OwnedTask> _attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _cancelled = new();
    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);

    // Keys of questions that the tool asked in place of a result.
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _loose = new(StringComparer.Ordinal);
    private readonly string _user;
    private readonly string _callId;

    public TaskRun(JsonRpcRequest request, string user, string callId, ClaimsPrincipal? principal)
    {
        (Request, _user, _callId, Principal) = (request, user, callId, principal);
        Cancelled = _cancelled.Token;
    }

    /// <summary>The call.</summary>
    public JsonRpcRequest Request { get; }

    /// <summary>The user with what the user may do; <see langword="null"/>: anonymous.</summary>
    public ClaimsPrincipal? Principal { get; }

    /// <summary>Sends messages of the tool before the call is a task.</summary>
    public Func<JsonRpcNotification, Task> Forward { get; init; } = static _ => Task.CompletedTask;

    /// <summary>Called when the tool needs a task, because it asks the client.</summary>
    public Action Need { get; init; } = static () => { };

    /// <summary>The task, if the call is one.</summary>
    public OwnedTask? Owned => _attached.Task.IsCompletedSuccessfully ? _attached.Task.Result : null;

    /// <summary>Ends when the tool is to stop.</summary>
    public CancellationToken Cancelled { get; }

    /// <summary>The tool's answer. Cancelled when the run was ended from outside.</summary>
    public Task<JsonRpcMessageWithId> Answer => _answer.Task;

    public override string? SessionId => null;

    public override long Epoch => Owned?.Epoch ?? 0;

    public override string User => _user;

    public override string CallId => _callId;

    public override StateTransaction? SessionState => null;

    public ChannelReader<JsonRpcMessage> MessageReader => _nothing.Reader;

    /// <summary>The tool starts again, with answers to what it asked in place of a result.</summary>
    public void Restart()
    {
        Volatile.Write(ref _answer, new(TaskCreationOptions.RunContinuationsAsynchronously));
        if (Cancelled.IsCancellationRequested)
            _answer.TrySetCanceled(Cancelled);
    }

    /// <summary>From now on the call is a task.</summary>
    public void Attach(OwnedTask task)
    {
        lock (_loose)
        {
            if (_attached.Task.IsCompleted)
                return;

            // Copied before the task is known, so that a later checkpoint comes after its former value.
            foreach (var (key, value) in _loose)
                _ = task.SaveAsync(key, value);
            _attached.SetResult(task);
        }

        task.Lost.UnsafeRegister(static run => ((TaskRun)run!).Cancel(), this);
    }

    /// <summary>Stops the tool, and forgets what it answers.</summary>
    public void Cancel()
    {
        _ = _cancelled.CancelAsync();
        Volatile.Read(ref _answer).TrySetCanceled(Cancelled);
    }

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default)
    {
        switch (message)
        {
            case JsonRpcMessageWithId answer and (JsonRpcResponse or JsonRpcError):
                _answer.TrySetResult(answer);
                break;
            case JsonRpcNotification notification when Owned is not { } task:
                return Forward(notification);
            case JsonRpcNotification { Method: NotificationMethods.ProgressNotification, Params: JsonObject progress }:
                Owned!.Show(Describe(progress));
                break;
        }

        return Task.CompletedTask;
    }

    /// <summary>Sends a request of the tool to the client: as a question of the task.</summary>
    public async ValueTask<JsonNode?> AskAsync(string method, JsonNode? parameters, CancellationToken cancellationToken)
    {
        RefuseIfUnsupported(method, parameters);
        var question = new JsonObject { ["method"] = method, ["params"] = parameters?.DeepClone() };
        (question["params"] as JsonObject)?.Remove("_meta");
        if (question["params"] is null)
            question.Remove("params");
        var bytes = JsonBytes.Of(question);
        Need();
        var task = await _attached.Task.WaitAsync(Cancelled).WaitAsync(cancellationToken);
        var answers = await task.AskAsync([(NameOf(bytes), bytes)], cancellationToken);
        return answers[0];
    }

    /// <summary>Asks in one commit what a tool answered with, in place of a result, and returns the answers by the tool's own keys.</summary>
    /// <param name="requests">Questions by key.</param>
    /// <param name="round">How often the tool has asked before. Keys of rounds differ, even if the tool uses one twice.</param>
    public async Task<JsonObject> AskAllAsync(JsonObject requests, int round)
    {
        var task = await _attached.Task.WaitAsync(Cancelled);
        var keys = requests.Select(static request => request.Key).Order(StringComparer.Ordinal).ToList();
        var questions = keys.Select(key => (NameOf(key, round), (ReadOnlyMemory<byte>)JsonBytes.Of(requests[key] ?? new JsonObject()))).ToList();
        var answers = await task.AskAsync(questions, Cancelled);
        return new(keys.Zip(answers, static (key, answer) => KeyValuePair.Create(key, answer?.DeepClone())));
    }

    /// <summary>A checkpoint; <see langword="null"/>: there is none.</summary>
    public ReadOnlyMemory<byte>? Read(string key)
    {
        if (Owned is { } task)
            return task.Read(key);
        lock (_loose)
            return _loose.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);
    }

    /// <summary>Writes a checkpoint. That of a call that is no task lasts as long as the call.</summary>
    public Task SaveAsync(string key, ReadOnlyMemory<byte>? value)
    {
        if (Owned is null)
        {
            lock (_loose)
            {
                if (Owned is null)
                {
                    if (value is { } set)
                        _loose[key] = set;
                    else
                        _loose.Remove(key);
                    return Task.CompletedTask;
                }
            }
        }

        return Owned!.SaveAsync(key, value);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // Made of what is asked, and how often the same was asked before: a rerun gives the same question the same key, in whatever order it asks.
    private string NameOf(byte[] question)
    {
        var hash = ContentHash.Of(question).ToString()[..12];
        lock (_asked)
        {
            var count = _asked[hash] = _asked.GetValueOrDefault(hash) + 1;
            return $"{hash}-{count}";
        }
    }

    // The tool's own key, with a number from the second round on: the first one that is free. In order of the keys, so that a rerun counts the same.
    private string NameOf(string key, int round)
    {
        var name = round == 0 ? key : $"{key}-{round + 1}";
        for (var number = round + 2; !_names.Add(name); number++)
            name = $"{key}-{number}";
        return name;
    }

    private void RefuseIfUnsupported(string method, JsonNode? parameters)
    {
        var capabilities = (Request.Params?["_meta"] as JsonObject)?["io.modelcontextprotocol/clientCapabilities"] as JsonObject;
        var needed = method switch
        {
            RequestMethods.ElicitationCreate => "elicitation",
            RequestMethods.SamplingCreateMessage => "sampling",
            RequestMethods.RootsList => "roots",
            _ => throw new InvalidOperationException($"A task cannot send '{method}' to its client."),
        };
        if (capabilities?.ContainsKey(needed) != true)
            throw new InvalidOperationException($"The client does not support {needed}.");
    }

    private static string Describe(JsonObject progress)
    {
        if (JsonRpc.TextParam(progress, "message") is { Length: > 0 } message)
            return message;
        var text = new StringBuilder(progress["progress"]?.ToJsonString() ?? "");
        if (progress["total"] is { } total)
            text.Append(" of ").Append(total.ToJsonString());
        return text.ToString();
    }
}
