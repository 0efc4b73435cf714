using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Which replica a provider of services belongs to.</summary>
internal sealed record Slot(string Replica);

/// <summary>Tools that do what the plan of their call says, each part when the explorer lets them.</summary>
[McpServerToolType]
internal sealed class ExploredTools(Slot slot, ISessionState state)
{
    [McpServerTool(Name = "again"), Rerun]
    public Task<string> AgainAsync(RequestContext<CallToolRequestParams> context, string call, CancellationToken cancellationToken) =>
        RunAsync(context, call, cancellationToken);

    [McpServerTool(Name = "once")]
    public Task<string> OnceAsync(RequestContext<CallToolRequestParams> context, string call, CancellationToken cancellationToken) =>
        RunAsync(context, call, cancellationToken);

    private async Task<string> RunAsync(RequestContext<CallToolRequestParams> context, string call, CancellationToken cancellationToken)
    {
        var world = World.Current!;
        var plan = world.Begin(call);
        List<string> heard = [];
        for (var at = 0; at < plan.Parts.Length; at++)
        {
            await world.Scheduler.StepAsync(slot.Replica, $"tool {call} part {at}", cancellationToken);
            switch (plan.Parts[at])
            {
                case 'p':
                    await context.Server.NotifyProgressAsync(
                        context.Params!.ProgressToken!.Value, new ProgressNotificationValue { Progress = at + 1 }, cancellationToken: CancellationToken.None);
                    break;
                case 'q':
                    heard.Add(await AskAsync(context, $"{call} {at}", cancellationToken));
                    break;
                case 'Q': // two at a time
                    heard.AddRange(await Task.WhenAll(AskAsync(context, $"{call} {at} left", cancellationToken), AskAsync(context, $"{call} {at} right", cancellationToken)));
                    break;
                case 's':
                    await state.UpdateAsync<int>("n", n => n + 1, cancellationToken);
                    break;
            }
        }

        world.Forget(call, slot.Replica);
        return $"{call}: {string.Join(", ", heard)}";
    }

    private static async Task<string> AskAsync(RequestContext<CallToolRequestParams> context, string question, CancellationToken cancellationToken)
    {
        var answer = await context.Server.ElicitAsync(
            new ElicitRequestParams { Message = question, RequestedSchema = new() { Properties = { ["text"] = new ElicitRequestParams.StringSchema() } } },
            cancellationToken: cancellationToken);
        return answer.Content?["text"].GetString() ?? answer.Action;
    }
}

/// <summary>
/// What a call does: <c>p</c> progress, <c>q</c> a question, <c>Q</c> two at once, <c>s</c> one more in the state, <c>w</c> waits and leaves no trace.
/// </summary>
internal sealed record Plan(string Tool, string Parts)
{
    public bool Again => Tool == "again";

    /// <summary>The call may be answered without a write.</summary>
    public bool LeavesNoTrace => Again && Parts.All(part => part == 'w');

    /// <summary>The result, when every question is answered by itself.</summary>
    public string Result(string call) => $"{call}: {string.Join(", ", Questions(call).Select(q => "re " + q))}";

    public IEnumerable<string> Questions(string call)
    {
        for (var at = 0; at < Parts.Length; at++)
        {
            if (Parts[at] == 'q')
                yield return $"{call} {at}";
            if (Parts[at] == 'Q')
            {
                yield return $"{call} {at} left";
                yield return $"{call} {at} right";
            }
        }
    }

    public IEnumerable<int> Progress => Enumerable.Range(1, Parts.Length).Where(n => Parts[n - 1] == 'p');
}
