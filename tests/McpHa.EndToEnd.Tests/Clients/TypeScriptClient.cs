using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace McpHa.Tests.Clients;

/// <summary>The TypeScript SDK's client in a Node.js process (<c>tests/clients</c>).</summary>
internal sealed class TypeScriptClient : TestClient
{
    private readonly Process _node;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _replies = new();
    private readonly ConcurrentDictionary<int, ToolCall> _calls = new();
    private readonly ConcurrentQueue<string> _trouble = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private string? _session;
    private int _commands;

    private TypeScriptClient(Process node) => _node = node;

    /// <summary>Why there is no such client here; <see langword="null"/> if there is.</summary>
    public static string? Unavailable { get; } =
        !Directory.Exists(Path.Combine(Folder, "node_modules", "@modelcontextprotocol", "sdk")) ? "the TypeScript client is not installed: run 'npm ci' in tests/clients"
        : !(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(f => File.Exists(Path.Combine(f, "node"))) ? "Node.js is not installed"
        : null;

    public override string? SessionId => _session;

    public override IReadOnlyCollection<string> Trouble => _trouble;

    private static string Folder
    {
        get
        {
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "clients", "client.mjs")))
                    return Path.Combine(folder.FullName, "clients");
            }

            throw new InvalidOperationException("tests/clients is not above the tests.");
        }
    }

    public static async Task<TypeScriptClient> ConnectAsync(Uri endpoint, string? session, bool sse = false)
    {
        var node = new Process
        {
            StartInfo = new ProcessStartInfo("node", "client.mjs")
            {
                WorkingDirectory = Folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        var client = new TypeScriptClient(node);
        node.OutputDataReceived += (_, line) => client.Read(line.Data);
        node.ErrorDataReceived += (_, line) => client.Report(line.Data);
        node.Start();
        node.BeginOutputReadLine();
        node.BeginErrorReadLine();
        try
        {
            var connected = await client.SendAsync("connect", new()
            {
                ["url"] = endpoint.AbsoluteUri,
                ["session"] = session,
                ["protocolVersion"] = session is null ? null : "2025-11-25",
                ["sse"] = sse,
            });
            client._session = (string?)connected["session"];
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    public override ToolCall Call(string tool, object? arguments = null)
    {
        var id = Interlocked.Increment(ref _commands);
        var call = new ToolCall { Cancel = () => SendAsync("cancel", new() { ["call"] = id }) };
        _calls[id] = call;
        call.Answer = AnswerAsync();
        return call;

        async Task<ToolAnswer> AnswerAsync()
        {
            var result = await SendAsync(id, "call", new() { ["name"] = tool, ["arguments"] = ToJson(arguments), ["progress"] = true });
            var text = string.Concat(result["content"]?.AsArray().Select(block => (string?)block!["text"]) ?? []);
            return new(text, result["structuredContent"], (bool?)result["isError"] ?? false);
        }
    }

    public override Task<JsonNode> RequestAsync(string method, object? parameters = null) =>
        SendAsync("request", new() { ["method"] = method, ["params"] = ToJson(parameters) });

    public override Task TerminateAsync() => SendAsync("terminate", []);

    public override async ValueTask DisposeAsync()
    {
        if (!_node.HasExited)
        {
            _node.StandardInput.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await _node.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_node.HasExited)
                _node.Kill();
        }

        _node.Dispose();
        _writing.Dispose();
    }

    private Task<JsonNode> SendAsync(string command, JsonObject parameters) => SendAsync(Interlocked.Increment(ref _commands), command, parameters);

    private async Task<JsonNode> SendAsync(int id, string command, JsonObject parameters)
    {
        parameters["id"] = id;
        parameters["command"] = command;
        var reply = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        _replies[id] = reply;
        await _writing.WaitAsync();
        try
        {
            await _node.StandardInput.WriteLineAsync(parameters.ToJsonString());
            await _node.StandardInput.FlushAsync();
        }
        finally
        {
            _writing.Release();
        }

        return await reply.Task;
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            foreach (var (_, reply) in _replies)
                reply.TrySetException(new InvalidOperationException($"The client has ended: {string.Join('\n', _trouble)}"));
            return;
        }

        var message = JsonNode.Parse(line)!;
        if (message["reply"] is { } id && _replies.TryRemove((int)id, out var waiting))
        {
            _calls.TryRemove((int)id, out _);
            if (message["error"] is { } error)
                waiting.TrySetException(new RpcException(error["code"] is JsonValue code && code.TryGetValue(out int number) ? number : 0, (string)error["message"]!));
            else
                waiting.TrySetResult(message["result"]!);
            return;
        }

        switch ((string?)message["event"])
        {
            case "progress" when _calls.TryGetValue((int)message["call"]!, out var call):
                call.Report((double)message["value"]!["progress"]!);
                break;
            case "notification":
                Add(new Notification((string)message["method"]!, message["params"]!.AsObject()));
                break;
            case "question":
                var question = (int)message["question"]!;
                Add(new Question((string)message["method"]!, message["params"]!.AsObject(), result => SendAsync("answer", new() { ["question"] = question, ["result"] = result })));
                break;
            case "trouble":
                Report((string?)message["message"]);
                break;
        }
    }

    private void Report(string? trouble)
    {
        if (trouble is not null)
            _trouble.Enqueue(trouble);
    }
}
