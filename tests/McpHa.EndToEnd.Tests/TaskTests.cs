using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Tasks of revision 2026-07-28, on any replica.</summary>
public sealed class TaskTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task A_task_is_known_everywhere_when_its_answer_arrives_and_ends_with_the_same_bytes()
    {
        var (first, second, third) = await ReplicasAsync();
        using var client = new TaskClient(LabCluster.EndpointOf(first));
        var task = await client.CreateAsync("report", new() { ["seconds"] = 1 });
        var id = (string)task["taskId"]!;
        Assert.Equal("working", (string?)task["status"]);

        using var other = new TaskClient(LabCluster.EndpointOf(second));
        Assert.Equal(id, (string?)(await other.GetAsync(id))["taskId"]);
        var asked = await other.WaitAsync(id, "input_required");
        await other.AnswerAsync(asked, new() { ["title"] = "Bees" });
        using var balanced = new TaskClient(Cluster.Endpoint);
        var ended = await balanced.WaitForEndAsync(id);

        Assert.Equal("completed", (string?)ended["status"]);
        Assert.StartsWith("Bees: 1 pages", (string?)ended["result"]!["content"]![0]!["text"]);
        using var last = new TaskClient(LabCluster.EndpointOf(third));
        foreach (var reader in new[] { client, other, last })
            Assert.Equal(ended.ToJsonString(), (await reader.GetAsync(id)).ToJsonString());
    }

    [Fact]
    public async Task A_cancellation_at_another_replica_ends_the_task()
    {
        var (first, second, _) = await ReplicasAsync();
        using var client = new TaskClient(LabCluster.EndpointOf(first));
        var id = (string)(await client.CreateAsync("report", new() { ["seconds"] = 600 }))["taskId"]!;

        using var other = new TaskClient(LabCluster.EndpointOf(second));
        Assert.Equal("complete", (string?)(await other.CancelAsync(id))["result"]?["resultType"]);

        Assert.Equal("cancelled", (string?)(await client.GetAsync(id))["status"]);
        Assert.Equal("complete", (string?)(await client.CancelAsync(id))["result"]?["resultType"]);
    }

    [Fact]
    public async Task Progress_is_shown_as_the_status_message()
    {
        using var client = new TaskClient(Cluster.Endpoint);
        var id = (string)(await client.CreateAsync("report", new() { ["seconds"] = 600 }))["taskId"]!;

        await Wait.UntilAsync(async () => ((string?)(await client.GetAsync(id))["statusMessage"])?.EndsWith("of 600 pages", StringComparison.Ordinal) == true, "progress");

        await client.CancelAsync(id);
    }

    [Fact]
    public async Task A_repeated_call_gives_the_same_task()
    {
        var (first, second, _) = await ReplicasAsync();
        var exchange = Guid.NewGuid().ToString("N");
        using var client = new TaskClient(LabCluster.EndpointOf(first));
        using var other = new TaskClient(LabCluster.EndpointOf(second));

        var one = await client.CallAsync("report", new() { ["seconds"] = 600 }, exchange);
        var again = await other.CallAsync("report", new() { ["seconds"] = 600 }, exchange);

        Assert.Equal((string?)one["result"]!["taskId"], (string?)again["result"]!["taskId"]);
        await client.CancelAsync((string)one["result"]!["taskId"]!);
    }

    [Fact]
    public async Task A_client_without_the_extension_gets_an_ordinary_call_and_no_tasks()
    {
        using var client = new TaskClient(Cluster.Endpoint) { Supports = false };

        var called = await client.CallAsync("report", new() { ["seconds"] = 1 });
        var asked = await client.SendAsync("tasks/get", "task-1", new() { ["taskId"] = "task-1" });

        Assert.Equal("complete", (string?)called["result"]?["resultType"]);
        Assert.StartsWith("Report: 1 pages", (string?)called["result"]!["content"]![0]!["text"]);
        Assert.Equal(-32021, (int?)asked["error"]?["code"]);
    }

    [Fact]
    public async Task Unknown_ids_and_wrong_parameters_are_refused()
    {
        using var client = new TaskClient(Cluster.Endpoint);
        foreach (var id in (string[])["task-0123456789012345678901234567890123456789", "nonsense", ""])
        {
            foreach (var method in (string[])["tasks/get", "tasks/update", "tasks/cancel"])
            {
                var answer = await client.SendAsync(method, id, new() { ["taskId"] = id, ["inputResponses"] = new JsonObject() });

                // An empty id is an empty header too, which may be refused first.
                Assert.True((int?)answer["error"]?["code"] is var code && (code == -32602 || code == -32020 && id.Length == 0), answer.ToJsonString());
            }
        }
    }

    [Fact]
    public async Task A_listener_hears_what_happens_at_another_replica_and_only_of_its_own_tasks()
    {
        var (first, second, _) = await ReplicasAsync();
        using var client = new TaskClient(LabCluster.EndpointOf(first));
        var id = (string)(await client.CreateAsync("report", new() { ["seconds"] = 2 }))["taskId"]!;
        var unheard = (string)(await client.CreateAsync("report", new() { ["seconds"] = 600 }))["taskId"]!;
        using var listener = new TaskClient(LabCluster.EndpointOf(second));

        using var stream = await listener.ListenAsync(id, "task-0123456789012345678901234567890123456789");
        var granted = await stream.EventAsync(e => e.Method == "notifications/subscriptions/acknowledged", "the acknowledgement");
        Assert.Equal([id], granted.Message!["params"]!["notifications"]!["taskIds"]!.AsArray().Select(task => (string)task!));
        var asked = await stream.EventAsync(e => Status(e) == "input_required", "the question");
        await listener.AnswerAsync(asked.Message!["params"]!, new() { ["title"] = "Bees" });
        await client.CancelAsync(unheard);
        var ended = await stream.EventAsync(e => Status(e) == "completed", "the end");

        Assert.StartsWith("Bees: 2 pages", (string?)ended.Message!["params"]!["result"]!["content"]![0]!["text"]);
        Assert.All(stream.Events.Where(e => e.Method == "notifications/tasks"), e => Assert.Equal(id, (string?)e.Message!["params"]!["taskId"]));
        Assert.Single(stream.Events, e => Status(e) == "completed");
    }

    [Fact]
    public async Task Who_does_not_support_tasks_cannot_listen_to_them()
    {
        using var client = new TaskClient(Cluster.Endpoint) { Supports = false };

        using var refused = await client.ListenAsync("task-0123456789012345678901234567890123456789");

        Assert.Equal(-32021, (int?)(await refused.AnswerAsync())["error"]?["code"]);
    }

    private static string? Status(RawEvent e) => e.Method == "notifications/tasks" ? (string?)e.Message!["params"]!["status"] : null;
}
