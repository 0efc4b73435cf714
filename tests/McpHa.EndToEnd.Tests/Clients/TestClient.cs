using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace McpHa.Tests.Clients;

/// <summary>Which unmodified client library a scenario runs with.</summary>
public enum ClientKind
{
    TypeScript,
    CSharp,
}

/// <summary>A client of an SDK, with defaults of its own: scenarios are written once and run with each.</summary>
internal abstract class TestClient : IAsyncDisposable
{
    private readonly ConcurrentQueue<Question> _questions = new();
    private readonly ConcurrentQueue<Notification> _notifications = new();

    public abstract string? SessionId { get; }

    /// <summary>What came on no call's behalf, in the order in which the SDK handed it over.</summary>
    public IReadOnlyList<Notification> Notifications => [.. _notifications];

    /// <summary>What the SDK has reported as errors of its connections, as far as it does: the C# SDK keeps them to itself.</summary>
    public virtual IReadOnlyCollection<string> Trouble => [];

    /// <summary>Texts of the announcements among them.</summary>
    public IReadOnlyList<string> Announcements =>
        [.. Notifications.Where(n => n.Method == "notifications/message" && (string?)n.Params["logger"] == "announcements").Select(n => (string)n.Params["data"]!)];

    /// <summary>All questions (elicitation, sampling) that the client was asked, also withdrawn ones.</summary>
    public IReadOnlyList<Question> Questions => [.. _questions];

    /// <summary>Starts a tool call.</summary>
    public abstract ToolCall Call(string tool, object? arguments = null);

    /// <summary>Sends any other request and returns its result.</summary>
    public abstract Task<JsonNode> RequestAsync(string method, object? parameters = null);

    /// <summary>Ends the session (DELETE).</summary>
    public abstract Task TerminateAsync();

    public abstract ValueTask DisposeAsync();

    /// <summary>Calls a tool and returns its answer's text.</summary>
    public async Task<string> CallAsync(string tool, object? arguments = null) => (await Call(tool, arguments).Answer).Text;

    /// <summary>Calls a tool and returns its structured answer.</summary>
    public async Task<JsonNode> AskAsync(string tool, object? arguments = null) => (await Call(tool, arguments).Answer).Structured!;

    /// <summary>The replica that owns the session.</summary>
    public async Task<string> OwnerAsync() => (string)(await AskAsync("where_am_i"))["replica"]!;

    public async Task<Question> QuestionAsync(int number = 1)
    {
        await Wait.UntilAsync(() => _questions.Count >= number, $"question {number} to reach the client");
        return Questions[number - 1];
    }

    protected void Add(Question question) => _questions.Enqueue(question);

    protected void Add(Notification notification) => _notifications.Enqueue(notification);

    protected static JsonObject ToJson(object? value) => System.Text.Json.JsonSerializer.SerializeToNode(value ?? new object())!.AsObject();
}

/// <summary>A notification as it reached the client.</summary>
internal sealed record Notification(string Method, JsonObject Params);

/// <summary>A question of the server to the client, open until it is answered here.</summary>
internal sealed class Question(string method, JsonObject parameters, Func<JsonObject, Task> answer)
{
    public string Method => method;

    public JsonObject Params => parameters;

    public Task AnswerAsync(object result) => answer(System.Text.Json.JsonSerializer.SerializeToNode(result)!.AsObject());
}

/// <summary>What a tool has answered.</summary>
internal sealed record ToolAnswer(string Text, JsonNode? Structured, bool IsError);

/// <summary>A tool call under way.</summary>
internal sealed class ToolCall
{
    private readonly ConcurrentQueue<double> _progress = new();

    public required Func<Task> Cancel { get; init; }

    /// <summary>Its answer; fails with <see cref="RpcException"/> when that is an error.</summary>
    public Task<ToolAnswer> Answer { get; set; } = null!;

    /// <summary>The progress that the SDK has reported so far.</summary>
    public IReadOnlyList<double> Progress => [.. _progress];

    public void Report(double progress) => _progress.Enqueue(progress);

    /// <summary>The error that the call ends with.</summary>
    public async Task<RpcException> ErrorAsync() => await Assert.ThrowsAsync<RpcException>(() => Answer);
}

/// <summary>A JSON-RPC error, or whatever else went wrong with a request in the client (<see cref="Code"/> is 0 then).</summary>
internal sealed class RpcException(int code, string message, Exception? inner = null) : Exception($"{code}: {message}", inner)
{
    public int Code => code;
}
