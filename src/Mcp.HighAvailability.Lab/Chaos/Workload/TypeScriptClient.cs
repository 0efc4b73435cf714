using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>The TypeScript SDK's client, as it is.</summary>
internal sealed class TypeScriptClient : FleetClient
{
    private const int RequestTimeout = -32001;

    private readonly TypeScriptProcess _process;
    private readonly Func<string, TimeSpan> _thinking;

    private TypeScriptClient(TypeScriptProcess process, int number, ClientObserver observer, Func<string, TimeSpan> thinking) =>
        (_process, Number, Observer, _thinking) = (process, number, observer, thinking);

    public int Number { get; }

    public ClientObserver Observer { get; }

    public override string Session => Observer.Session;

    /// <summary>The revision that it has negotiated.</summary>
    public string Revision { get; private set; } = "";

    /// <summary>Opens a session.</summary>
    public static async Task<TypeScriptClient> ConnectAsync(
        TypeScriptProcess process, int number, IReadOnlyList<Uri> endpoints, int seed, ClientObserver observer, Func<string, TimeSpan> thinking,
            CancellationToken cancellationToken)
    {
        var client = new TypeScriptClient(process, number, observer, thinking);
        process.Add(client);
        var reply = await process.SendAsync("connect", new()
        {
            ["client"] = number,
            ["endpoints"] = new JsonArray([.. endpoints.Select(endpoint => JsonValue.Create(endpoint.AbsoluteUri))]),
            ["seed"] = seed,
        }).WaitAsync(cancellationToken);
        if (reply["error"] is { } error)
            throw new LabException($"A TypeScript client could not open a session: {(string?)error["message"]}");
        observer.Session = (string?)reply["result"]?["session"] ?? "";
        client.Revision = (string?)reply["result"]?["revision"] ?? "";
        return client;
    }

    public override async Task<CallOutcome> RequestAsync(long call, string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        parameters["_meta"] = new JsonObject { [ClientObserver.CallKey] = call };
        await using var cancelling = cancellationToken.Register(() => _ = _process.SendAsync("cancel", new() { ["call"] = call }));
        var reply = await _process.SendAsync("request", new() { ["client"] = Number, ["call"] = call, ["method"] = method, ["params"] = parameters });
        if (reply["error"] is not { } error)
            return Result(reply["result"]);
        if (cancellationToken.IsCancellationRequested)
            return new(OutcomeKind.Cancelled);

        var (type, message, code) = ((string?)error["type"], (string?)error["message"], (int?)error["code"]);
        return type switch
        {
            "McpError" when code == RequestTimeout && message?.Contains("timed out", StringComparison.Ordinal) == true => new(OutcomeKind.TimedOut, message),
            "McpError" => new(OutcomeKind.RpcError, message, Code: code),
            _ => new(OutcomeKind.TransportError, message, Code: code),
        };
    }

    /// <summary>Thinks about a question and answers it.</summary>
    public async Task AnswerAsync(int question, string method, JsonNode? parameters)
    {
        var text = Question.Of(method, parameters);
        await Task.Delay(_thinking(text));
        var answer = Question.Answer(text);
        JsonObject result = method == "elicitation/create"
            ? new() { ["action"] = "accept", ["content"] = new JsonObject { ["name"] = answer } }
            : new() { ["model"] = "chaos", ["role"] = "assistant", ["content"] = new JsonObject { ["type"] = "text", ["text"] = answer } };
        await _process.SendAsync("answer", new() { ["client"] = Number, ["question"] = question, ["result"] = result });
    }

    public override async ValueTask DisposeAsync() => await _process.SendAsync("terminate", new() { ["client"] = Number });
}
