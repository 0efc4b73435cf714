using System.Diagnostics;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A sample tool runs while its replica is killed.</summary>
[Collection(ApplicationCollection.Name)]
public sealed class CallTests(ApplicationFixture application)
{
    [Fact]
    public async Task A_call_in_flight_finishes_when_its_replica_is_killed()
    {
        await using var client = await application.ConnectAsync();
        await client.CallToolAsync("notes_add", new Dictionary<string, object?> { ["text"] = "survives" });
        var owner = await ProcessAsync(client);

        var running = new FirstStep();
        var call = client.CallToolAsync("countdown", new Dictionary<string, object?> { ["seconds"] = 2, ["intervalMs"] = 100 }, running).AsTask();
        await Task.WhenAny(running.Seen, call);
        Process.GetProcessById(owner).Kill();

        Assert.Equal("liftoff", Assert.IsType<TextContentBlock>(Assert.Single((await call).Content)).Text);
        Assert.NotEqual(owner, await ProcessAsync(client));
        var notes = Structured(await client.CallToolAsync("notes_list"))["notes"]!.AsArray();
        Assert.Equal(["survives"], notes.Select(note => (string)note!));
    }

    private static async Task<int> ProcessAsync(McpClient client) => (int)Structured(await client.CallToolAsync("where_am_i"))["processId"]!;

    private static JsonNode Structured(CallToolResult result) => JsonNode.Parse(result.StructuredContent!.Value.GetRawText())!;

    private sealed class FirstStep : IProgress<ProgressNotificationValue>
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public void Report(ProgressNotificationValue value) => _seen.TrySetResult();
    }
}
