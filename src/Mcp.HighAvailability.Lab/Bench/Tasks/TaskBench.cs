using System.Diagnostics;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Server;
using Mcp.HighAvailability.Lab.Clients;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Tasks;

/// <summary>Measures tasks on one replica with a Redis of its own: whole ones, from the call to the result, and polls of one that works.</summary>
internal sealed class TaskBench(BenchOptions options, Action<string> say) : IDisposable
{
    private const int Clients = 16;
    private const int WarmUps = 2;

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false });
    private long _requests;

    public async Task<TaskReport> RunAsync(CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        var redis = await processes.StartRedisAsync(cancellationToken);
        var server = await processes.StartServerAsync(ServerKind.Tasks, redis, "Durable", cancellationToken);
        var http = new TaskHttp(_http, server.Endpoint);
        var hold = new JsonObject { ["name"] = TaskTools.Held, ["arguments"] = new JsonObject() };
        var held = Id(await AskAsync(http, "tools/call", TaskTools.Held, hold, cancellationToken));

        List<TaskFigures> whole = [];
        List<TaskFigures> polls = [];
        for (var round = 1 - WarmUps; round <= options.Rounds; round++)
        {
            say(round <= 0 ? "warming up" : $"round {round} of {options.Rounds}");
            var figures = await MeasureAsync(server, redis, () => WholeAsync(http, cancellationToken), cancellationToken);
            var poll = await MeasureAsync(
                server, redis, () => AskAsync(http, "tasks/get", held, new() { ["taskId"] = held }, cancellationToken), cancellationToken);
            if (round <= 0)
                continue;
            whole.Add(figures);
            polls.Add(poll);
        }

        return new() { Clients = Clients, Whole = TaskFigures.MedianOf(whole), Poll = TaskFigures.MedianOf(polls) };
    }

    public void Dispose() => _http.Dispose();

    private async Task WholeAsync(TaskHttp http, CancellationToken cancellationToken)
    {
        var call = new JsonObject { ["name"] = TaskTools.Quick, ["arguments"] = new JsonObject { ["text"] = "hello" } };
        var id = Id(await AskAsync(http, "tools/call", TaskTools.Quick, call, cancellationToken));
        while (true)
        {
            var task = (await AskAsync(http, "tasks/get", id, new() { ["taskId"] = id }, cancellationToken))["result"]!;
            if ((string?)task["status"] == "completed" && (string?)task["result"]?["content"]?[0]?["text"] == "hello")
                return;
            if ((string?)task["status"] != "working")
                throw new LabException($"tasks: wrong answer. {task.ToJsonString()}");
        }
    }

    private async Task<JsonNode> AskAsync(TaskHttp http, string method, string name, JsonObject parameters, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        var answer = await http.AskAsync(method, name, parameters, cancellationToken);
        return answer["result"] is not null ? answer : throw new LabException($"tasks: wrong answer to {method}. {answer.ToJsonString()}");
    }

    private static string Id(JsonNode answer) =>
        (string?)answer["result"]!["taskId"] ?? throw new LabException($"tasks: the call did not become a task. {answer.ToJsonString()}");

    private async Task<TaskFigures> MeasureAsync(Running server, Running redis, Func<Task> step, CancellationToken cancellationToken)
    {
        var before = await ReadAsync();
        var started = Stopwatch.GetTimestamp();
        var times = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(RepeatAsync, cancellationToken)));
        var elapsed = Stopwatch.GetElapsedTime(started);
        var after = await ReadAsync();
        var all = times.SelectMany(time => time).Order().ToArray();
        var ours = after.Server + after.Redis + after.Self - before.Server - before.Redis - before.Self;
        return new()
        {
            PerSecond = all.Length / elapsed.TotalSeconds,
            P50Milliseconds = Figures.Percentile(all, 0.50),
            P99Milliseconds = Figures.Percentile(all, 0.99),
            Requests = (double)(after.Requests - before.Requests) / all.Length,
            ServerMicroseconds = (after.Server - before.Server).TotalMicroseconds / all.Length,
            RedisMicroseconds = (after.Redis - before.Redis).TotalMicroseconds / all.Length,
            StoreCommands = (double)(after.Commands - before.Commands) / all.Length,
            OtherCores = Math.Max(0, (after.Machine - before.Machine - ours) / elapsed),
        };

        async Task<List<double>> RepeatAsync()
        {
            List<double> taken = [];
            while (Stopwatch.GetElapsedTime(started) < options.Duration)
            {
                var begun = Stopwatch.GetTimestamp();
                await step();
                taken.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            }

            return taken;
        }

        async Task<(TimeSpan Server, TimeSpan Redis, TimeSpan Self, TimeSpan Machine, long Commands, long Requests)> ReadAsync() => (
            ProcessCpu.Of([server.Process.Id]), ProcessCpu.Of([redis.Process.Id]), ProcessCpu.OfSelf(), ProcessCpu.OfMachine(),
            await RedisStatistics.CountAsync(redis.Url.Port, cancellationToken), Interlocked.Read(ref _requests));
    }
}
