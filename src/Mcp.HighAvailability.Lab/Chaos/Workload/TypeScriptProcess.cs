using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>The Node.js process in which all clients of the TypeScript SDK live (<c>Chaos/TypeScript</c>): commands in, events out, as JSON lines.</summary>
internal sealed class TypeScriptProcess : IAsyncDisposable
{
    private const string Script = "fleet.mjs";
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    private readonly Process _node;
    private readonly HistoryLog _history;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonObject>> _replies = new();
    private readonly ConcurrentDictionary<int, TypeScriptClient> _clients = new();
    private readonly ConcurrentQueue<string> _said = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private volatile bool _ended;
    private int _commands;

    private TypeScriptProcess(Process node, HistoryLog history) => (_node, _history) = (node, history);

    /// <summary>Starts it.</summary>
    /// <exception cref="LabException">Node.js or the SDK is missing; the message names the cure.</exception>
    public static TypeScriptProcess Start(HistoryLog history)
    {
        var folder = Folder();
        if (Executables.Find("node") is not { } program)
            throw new LabException("--typescript needs Node.js on PATH: install it (https://nodejs.org), or leave out --typescript.");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "@modelcontextprotocol", "sdk")))
            throw new LabException($"--typescript needs the TypeScript SDK: run 'npm ci' in {folder}.");

        var node = new Process
        {
            StartInfo = new(program, Script)
            {
                WorkingDirectory = folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        var started = new TypeScriptProcess(node, history);
        node.OutputDataReceived += (_, line) => started.Read(line.Data);
        node.ErrorDataReceived += (_, line) => started._said.Enqueue(line.Data ?? "");
        node.Start();
        node.BeginOutputReadLine();
        node.BeginErrorReadLine();
        return started;
    }

    public void Add(TypeScriptClient client) => _clients[client.Number] = client;

    /// <summary>Sends a command and waits for its reply: <c>result</c> or <c>error</c>.</summary>
    public async Task<JsonObject> SendAsync(string command, JsonObject parameters)
    {
        var id = Interlocked.Increment(ref _commands);
        parameters["id"] = id;
        parameters["command"] = command;
        var reply = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        _replies[id] = reply;
        if (_ended)
            Fail();
        await _writing.WaitAsync();
        try
        {
            await _node.StandardInput.WriteLineAsync(parameters.ToJsonString());
            await _node.StandardInput.FlushAsync();
        }
        catch (IOException)
        {
            Fail();
        }
        finally
        {
            _writing.Release();
        }

        return await reply.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_node.HasExited)
        {
            // The end of its input is the end of the script; and when Lab is killed its input ends too.
            _node.StandardInput.Close();
            using var limit = new CancellationTokenSource(EndLimit);
            await _node.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_node.HasExited)
                _node.Kill();
        }

        _node.Dispose();
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            _ended = true;
            Fail();
            return;
        }

        var message = JsonNode.Parse(line)!.AsObject();
        if ((int?)message["reply"] is { } id)
        {
            if (_replies.TryRemove(id, out var waiting))
                waiting.TrySetResult(message);
            return;
        }

        if ((int?)message["client"] is not { } number || !_clients.TryGetValue(number, out var client))
            return;
        switch ((string?)message["event"])
        {
            case "sent":
                client.Observer.Sent(message["message"]!.AsObject());
                break;
            case "received":
                client.Observer.Received(message["message"]!.AsObject());
                break;
            case "question":
                _ = client.AnswerAsync((int)message["question"]!, (string)message["method"]!, message["params"]);
                break;
            case "trouble":
                Route.Report(
                    _history, (string)message["session"]!, (string)message["method"]!, (int?)message["status"], (bool)message["repeated"]!,
                        (string)message["reason"]!);
                break;
        }
    }

    private void Fail()
    {
        foreach (var (_, reply) in _replies)
            reply.TrySetException(new LabException($"The TypeScript clients have ended: {string.Join(' ', _said)}"));
    }

    // Beside the sources: npm puts the SDK there.
    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "Chaos", "TypeScript");
            if (File.Exists(Path.Combine(candidate, Script)))
                return candidate;
        }

        throw new LabException(
            $"--typescript needs Chaos/TypeScript/{Script}, which is beside the sources of Lab: run Lab from its project folder (dotnet run --project …).");
    }
}
