using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>What the tools do, as the test says.</summary>
internal sealed class ToolScript
{
    private readonly CancellationTokenSource _stopped = new();
    private int _runs;

    public Func<ToolRun, Task<string>> Body { get; set; } = static run => Task.FromResult(run.Argument);

    /// <summary>How often any tool was run.</summary>
    public int Runs => Volatile.Read(ref _runs);

    /// <summary>Which replica ran what.</summary>
    public ConcurrentQueue<(string Replica, string Argument)> Log { get; } = new();

    public void Stop() => _stopped.Cancel();

    /// <summary>Waits until a run is let go by the test, or the test is over.</summary>
    public Task UntilAsync(Task task) => task.WaitAsync(_stopped.Token);

    public Task<string> RunAsync(ToolRun run)
    {
        Interlocked.Increment(ref _runs);
        Log.Enqueue((run.Replica.ReplicaId, run.Argument));
        return Body(run);
    }
}

/// <summary>One run of a tool.</summary>
internal sealed record ToolRun(
    string Argument, McpServer Server, ProgressToken? Token, ISessionState State, IReplicaContext Replica, string? User, CancellationToken Cancelled)
{
    /// <summary>Ends the response that the client reads now.</summary>
    public Func<TimeSpan, Task> EndResponseAsync { get; init; } = static _ => throw new NotSupportedException("This tool has no request.");

    public Task ProgressAsync(double value) =>
        Server.NotifyProgressAsync(Token!.Value, new ProgressNotificationValue { Progress = (float)value }, cancellationToken: CancellationToken.None);

    public Task LogAsync(string text) => Server.SendNotificationAsync(
        NotificationMethods.LoggingMessageNotification,
        new LoggingMessageNotificationParams { Level = LoggingLevel.Info, Data = JsonSerializer.SerializeToElement(text) },
        cancellationToken: CancellationToken.None);

    /// <summary>Asks the client; the text of its answer.</summary>
    public async Task<string> AskAsync(string question)
    {
        var answer = await Server.ElicitAsync(
            new ElicitRequestParams
            {
                Message = question,
                RequestedSchema = new() { Properties = { ["text"] = new ElicitRequestParams.StringSchema() } },
            },
            cancellationToken: Cancelled);
        return answer.Content?["text"].GetString() ?? answer.Action;
    }
}

[McpServerToolType]
internal sealed class ScriptedTools(ToolScript script, ISessionState state, IReplicaContext replica)
{
    [McpServerTool(Name = "again"), Rerun]
    public Task<string> AgainAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken, string text = "") =>
        script.RunAsync(Run(context, text, cancellationToken));

    [McpServerTool(Name = "once")]
    public Task<string> OnceAsync(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken, string text = "") =>
        script.RunAsync(Run(context, text, cancellationToken));

    private ToolRun Run(RequestContext<CallToolRequestParams> context, string text, CancellationToken cancellationToken) =>
        new(text, context.Server, context.Params?.ProgressToken, state, replica, context.User?.FindFirst("sub")?.Value, cancellationToken)
        {
            EndResponseAsync = async retry => await context.EnablePollingAsync(retry, cancellationToken),
        };
}

[McpServerResourceType]
internal sealed class ScriptedResources
{
    [McpServerResource(UriTemplate = "test://one", Name = "one")]
    public static string One() => "one";
}
