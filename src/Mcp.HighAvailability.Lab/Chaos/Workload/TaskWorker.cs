using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Clients;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>One task from its call to its end, as its client sees it: polled, answered, cancelled, listened to.</summary>
internal sealed class TaskWorker(TaskHttp http, HistoryLog history, long number, PlannedTask planned, TimeSpan timeout)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CancelAfter = TimeSpan.FromSeconds(1.5);
    private const int LooksAfterwards = 2;

    /// <summary>Works on it until it has ended, or for too long.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout + planned.RunsLike);
        var doing = "the answer to its call";
        try
        {
            if (await CreateAsync(limit.Token) is not { } id)
                return;
            doing = "its end";
            var listening = planned.Expected.Listens ? ListenAsync(id, limit.Token) : Task.CompletedTask;
            var known = await PollAsync(id, limit.Token);
            doing = "the notice of its end";
            if (known)
                await listening;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            history.Add(at => new TaskGivenUp(at, number, doing));
        }
    }

    private async Task<string?> CreateAsync(CancellationToken cancellationToken)
    {
        history.Add(at => new TaskAsked(at, number, planned.Tool, planned.Expected));
        try
        {
            var call = new JsonObject { ["name"] = planned.Tool, ["arguments"] = planned.Arguments.DeepClone() };
            var answer = await http.AskAsync("tools/call", planned.Tool, call, cancellationToken);
            if ((string?)answer["result"]?["taskId"] is { } id)
            {
                history.Add(at => new TaskCreated(at, number, id));
                return id;
            }

            history.Add(at => new TaskRefused(at, number, (int?)answer["error"]?["code"] ?? 0, answer.ToJsonString()));
        }
        catch (HttpRequestException e)
        {
            history.Add(at => new TaskRefused(at, number, 0, e.Message));
        }

        return null;
    }

    // False: the servers do not know it any more.
    private async Task<bool> PollAsync(string id, CancellationToken cancellationToken)
    {
        var cancelAt = history.Now + CancelAfter;
        var cancels = planned.Expected.Cancels;
        for (var looks = 0; looks <= LooksAfterwards; await Task.Delay(Poll, cancellationToken))
        {
            if (cancels && history.Now > cancelAt)
            {
                history.Add(at => new TaskCancelling(at, number));
                cancels = await SendAsync("tasks/cancel", id, [], cancellationToken) is null;
            }

            if (await SendAsync("tasks/get", id, [], cancellationToken) is not { } answer)
                continue;
            if (answer["error"] is { } error)
            {
                if ((int?)error["code"] == TaskTrouble.Unknown)
                    return false;
                continue;
            }

            var seen = See(answer["result"]!, heard: false);
            looks += seen.HasEnded ? 1 : 0;
            if (answer["result"]!["inputRequests"] is JsonObject questions)
                await AnswerAsync(id, questions, cancellationToken);
        }

        return true;
    }

    private async Task AnswerAsync(string id, JsonObject questions, CancellationToken cancellationToken)
    {
        foreach (var (key, _) in questions)
        {
            var responses = new JsonObject { [key] = new JsonObject { ["action"] = "accept", ["content"] = new JsonObject { ["title"] = planned.Title } } };
            if ((await SendAsync("tasks/update", id, new() { ["inputResponses"] = responses }, cancellationToken))?["result"] is not null)
                history.Add(at => new TaskAnswered(at, number, key));
        }
    }

    // Until its end was heard. A stream that breaks is opened again: the first thing that it tells is the state.
    private async Task ListenAsync(string id, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await foreach (var message in http.ListenAsync(id, cancellationToken))
                {
                    if ((string?)message["method"] == "notifications/tasks" && See(message["params"]!, heard: true).HasEnded)
                        return;
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // The next one.
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }

    // Null: no answer.
    private async Task<JsonNode?> SendAsync(string method, string id, JsonObject parameters, CancellationToken cancellationToken)
    {
        parameters["taskId"] = id;
        try
        {
            var answer = await http.AskAsync(method, id, parameters, cancellationToken);
            if (answer["error"] is { } error)
                history.Add(at => new TaskTrouble(at, number, method, (int?)error["code"] ?? 0, (string?)error["message"] ?? ""));
            return answer;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private TaskSeen See(JsonNode task, bool heard)
    {
        var json = task.DeepClone().AsObject();
        json.Remove("_meta");
        json.Remove("resultType");
        var status = (string?)task["status"] ?? "";
        var outcome = status switch
        {
            "completed" => (string?)task["result"]?["content"]?[0]?["text"] ?? "",
            "failed" => task["error"]?["code"]?.ToJsonString() ?? "",
            _ => "",
        };
        return history.Add(at => new TaskSeen(at, number, heard, status, (string?)task["statusMessage"] ?? "", outcome, json.ToJsonString()));
    }
}
