using System.Collections.Concurrent;
using System.Security.Claims;
using Mcp.HighAvailability;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Hooks for sessions, by the path and the user that opened them, on every replica that serves the session.</summary>
public sealed class SessionHookTests
{
    private readonly ConcurrentQueue<string> _seen = new();

    [Fact]
    public async Task The_path_on_which_a_session_was_opened_decides_its_tools_also_after_a_take_over()
    {
        await using var cluster = await StartAsync(ha => ha.ConfigureSessionOptions(ConfigureAsync));
        using var math = await cluster.ConnectAsync(category: "/math");
        using var plain = await cluster.ConnectAsync();
        Assert.Equal(["math"], await ToolsAsync(math, cluster[0]));
        Assert.Equal(["again", "once"], await ToolsAsync(plain, cluster[0]));
        await cluster.CutOffAsync(cluster[0]);

        math.Category = "";
        Assert.Equal(["math"], await ToolsAsync(math, cluster[1]));
        Assert.Equal("4", await math.CallAsync(cluster[1], "math"));
        Assert.Equal(["again", "once"], await ToolsAsync(plain, cluster[1]));
    }

    [Fact]
    public async Task A_tool_that_one_session_has_is_run_again_after_a_loss()
    {
        var never = new TaskCompletionSource();
        await using var cluster = await StartAsync(ha => ha.ConfigureSessionOptions((session, options, _) =>
        {
            var isFirst = !session.IsTakeOver;
            options.ToolCollection!.Add(McpServerTool.Create(
                async (McpServer server) =>
                {
                    await server.SendNotificationAsync("notifications/begun");
                    await (isFirst ? never.Task : Task.CompletedTask);
                    return "done";
                },
                new() { Name = "own", Idempotent = true }));
            return Task.CompletedTask;
        }));
        using var client = await cluster.ConnectAsync();
        using var old = await client.PostAsync(cluster[0], client.Call("own"));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);

        Assert.Equal("done", RawClient.TextOf((await resumed.MessagesAsync())[^1]));
        never.SetResult();
    }

    [Fact]
    public async Task Hooks_see_the_user_who_opened_the_session_with_all_claims()
    {
        await using var cluster = await StartAsync(ha => ha.ConfigureSessionOptions((session, _, _) =>
        {
            _seen.Enqueue($"{session.Path} {session.User?.FindFirst("sub")?.Value} {session.User?.FindFirst(ClaimTypes.Role)?.Value} {session.IsTakeOver} {session.SessionId is { Length: > 0 }}");
            return Task.CompletedTask;
        }));
        using var client = await cluster.ConnectAsync(user: "ada admin", category: "/math");
        await cluster.CutOffAsync(cluster[0]);
        client.User = "ada";
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        Assert.Equal(["/mcp/math ada admin False True", "/mcp/math ada admin True True"], _seen);
    }

    [Fact]
    public async Task A_request_without_a_session_is_configured_by_its_own_path()
    {
        await using var cluster = await StartAsync(ha => ha.ConfigureSessionOptions(ConfigureAsync).RunSessionHandler((session, server, cancellationToken) =>
        {
            _seen.Enqueue(session.Path);
            return server.RunAsync(cancellationToken);
        }));
        using var client = StatelessClient.New();
        client.Category = "/math";
        using var list = await client.AskAsync(cluster[0], "tools/list");
        Assert.Equal(["math"], (await list.AnswerAsync())["result"]!["tools"]!.AsArray().Select(tool => (string?)tool!["name"]));
        Assert.Equal(["/mcp/math"], _seen);
    }

    [Fact]
    public async Task A_handler_runs_the_session_in_each_owner_to_its_end_there()
    {
        await using var cluster = await StartAsync(ha => ha.RunSessionHandler(async (session, server, cancellationToken) =>
        {
            _seen.Enqueue($"begin {session.RouteValues["category"]} {session.IsTakeOver}");
            try
            {
                await server.SendNotificationAsync("notifications/hello", cancellationToken);
                await server.RunAsync(cancellationToken);
            }
            finally
            {
                _seen.Enqueue("end");
            }
        }));
        using var client = await cluster.ConnectAsync(category: "/math");
        using (var first = await client.GetAsync(cluster[0]))
            Assert.Equal("notifications/hello", (string?)(await first.MessageAsync())["method"]);
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        Assert.Equal("notifications/hello", (string?)(await stream.MessageAsync())["method"]);
        cluster[0].Session(client.SessionId!)?.Check();
        await Wait.UntilAsync(() => _seen.Contains("end"), "the end in the first owner");
        Assert.Equal(["begin math False", "begin math True", "end"], _seen);
        using var deleted = await client.DeleteAsync(cluster[1]);
        await Wait.UntilAsync(() => _seen.Count(one => one == "end") == 2, "the end of the session");
    }

    private static Task<InProcessCluster> StartAsync(Action<HighAvailabilityBuilder> ha) => InProcessCluster.StartAsync(ha: ha, route: "/mcp/{category?}");

    private static Task ConfigureAsync(McpSessionContext session, McpServerOptions options, CancellationToken cancellationToken)
    {
        if (session.RouteValues.TryGetValue("Category", out var category))
        {
            options.ToolCollection!.Clear();
            options.ToolCollection.Add(McpServerTool.Create(() => "4", new() { Name = category, ReadOnly = true }));
        }

        return Task.CompletedTask;
    }

    private static async Task<IEnumerable<string?>> ToolsAsync(RawClient client, InProcessReplica replica)
    {
        using var list = await client.PostAsync(replica, client.Request(RequestMethods.ToolsList));
        return (await list.AnswerAsync())["result"]!["tools"]!.AsArray().Select(tool => (string?)tool!["name"]).Order();
    }
}
