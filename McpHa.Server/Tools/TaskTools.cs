using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>Long work. For clients that support tasks it is a task, which outlives its replica; for others an ordinary call.</summary>
[McpServerToolType]
public static class TaskTools
{
    private const int MaxSeconds = 3_600;

    [McpServerTool(Name = "report", Title = "Write a report", OpenWorld = false)]
    [Rerun, RunAsTask]
    [Description("Writes a report for so many seconds. Asks for its title half-way, if the client can be asked.")]
    public static async Task<string> Report(
        McpServer server,
        ITaskState state,
        IReplicaContext replica,
        IProgress<ProgressNotificationValue> progress,
        CancellationToken cancellationToken,
        [Description("How long it takes, 1 to 3600 seconds.")] int seconds = 10)
    {
        if (seconds is < 1 or > MaxSeconds)
            throw new McpException($"'seconds' is {seconds}; use 1 to {MaxSeconds}.");

        // A rerun on another replica goes on behind the last step that was saved.
        var done = await state.GetAsync<int>("done", cancellationToken);
        var replicas = await state.GetAsync<string[]>("replicas", cancellationToken) ?? [];
        if (replicas.LastOrDefault() != replica.ReplicaId)
            await state.SetAsync("replicas", replicas = [.. replicas, replica.ReplicaId], cancellationToken);
        var title = "Report";
        while (done < seconds)
        {
            // Asked again by a rerun, it has the answer that the user gave before.
            if (done == seconds / 2)
                title = await AskTitleAsync(server, cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            await state.SetAsync("done", ++done, cancellationToken);
            progress.Report(new() { Progress = done, Total = seconds, Message = $"{done} of {seconds} pages" });
        }

        if (await state.GetAsync<string>("title", cancellationToken) is { } saved)
            title = saved;
        return $"{title}: {seconds} pages, written by {string.Join(", ", replicas)}.";

        async Task<string> AskTitleAsync(McpServer client, CancellationToken cancellation)
        {
            ElicitResult answer;
            try
            {
                answer = await client.ElicitAsync(
                    new() { Message = "What is the report called?",
                        RequestedSchema = new() { Properties = { ["title"] = new ElicitRequestParams.StringSchema { Title = "Title" } } } }, cancellation);
            }
            catch (InvalidOperationException)
            {
                // This client cannot be asked.
                return title;
            }

            if (answer.IsAccepted && answer.Content?.TryGetValue("title", out var given) == true)
                await state.SetAsync("title", title = given.ToString(), cancellation);
            return title;
        }
    }
}
