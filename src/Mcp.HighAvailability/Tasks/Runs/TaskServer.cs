using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// One SDK server for all runs of tasks of this replica, so that tools run behind the same filters as for any client. It has no client of its own.
/// </summary>
internal sealed class TaskServer(IOptions<McpServerOptions> options, ILoggerFactory loggerFactory, IServiceProvider services) : ITransport
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<JsonRpcMessage> _incoming = Channel.CreateUnbounded<JsonRpcMessage>(new() { SingleReader = true });
    private Task? _running;
    private long _count;

    public string? SessionId => null;

    public ChannelReader<JsonRpcMessage> MessageReader => _incoming.Reader;

    /// <summary>Begins a run. Its answer comes to the run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="parameters">Parameters of the call; by default those of the run's request.</param>
    public void Start(TaskRun run, JsonNode? parameters = null)
    {
        lock (_gate)
            _running ??= RunAsync();
        var before = CallScope.Current;
        CallScope.Current = run;
        var flow = ExecutionContext.Capture();
        CallScope.Current = before;
        _incoming.Writer.TryWrite(new JsonRpcRequest
        {
            Id = new RequestId(Interlocked.Increment(ref _count)),
            Method = RequestMethods.ToolsCall,
            Params = WithToken(parameters ?? run.Request.Params),
            Context = new JsonRpcMessageContext
            {
                RelatedTransport = run, User = run.Principal, ExecutionContext = flow, ProtocolVersion = McpHeaders.Stateless,
            },
        });
    }

    /// <summary>A message that belongs to no run has no receiver.</summary>
    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _incoming.Writer.TryComplete();
        await _stopping.CancelAsync();
        if (_running is { } running)
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        await using var server = McpServer.Create(this, options.Value, loggerFactory, services);
        await server.RunAsync(_stopping.Token);
    }

    // A copy, as the SDK writes into it.
    private static JsonObject WithToken(JsonNode? parameters)
    {
        var copy = parameters?.DeepClone() as JsonObject ?? [];
        if (copy["_meta"] is not JsonObject meta)
            copy["_meta"] = meta = [];
        meta["progressToken"] = TaskRun.ProgressToken;
        return copy;
    }
}
