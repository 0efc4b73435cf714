using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.Tests;

/// <summary><c>[Authorize]</c> on tools, prompts and resources: hidden in lists, refused when used, on every replica and after a take-over.</summary>
public sealed class AuthorizationTests
{
    [Theory]
    [InlineData(null, 1, 0, 0, 0)]
    [InlineData("ada", 2, 0, 0, 0)]
    [InlineData("ada admin", 3, 1, 1, 1)]
    public async Task Lists_leave_out_what_the_caller_may_not_use(string? user, int tools, int prompts, int resources, int templates)
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync(user: user);
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            Assert.Equal(tools, await CountAsync(client, replica, "tools/list", "tools", "for-"));
            Assert.Equal(prompts, await CountAsync(client, replica, "prompts/list", "prompts", "admin-"));
            Assert.Equal(resources, await CountAsync(client, replica, "resources/list", "resources", "secret"));
            Assert.Equal(templates, await CountAsync(client, replica, "resources/templates/list", "resourceTemplates", "secret"));
        }
    }

    [Fact]
    public async Task What_the_caller_may_not_use_is_refused_and_does_not_run()
    {
        await using var cluster = await StartAsync();
        foreach (var (user, allowed) in new[] { (null, false), ("ada", false), ("ada admin", true) })
        {
            using var client = await cluster.ConnectAsync(user: user);
            foreach (var replica in new[] { cluster[0], cluster[1] })
            {
                foreach (var request in new[]
                {
                    client.Call("for-admins", "x"),
                    client.Request("prompts/get", new() { ["name"] = "admin-prompt" }),
                    client.Request("resources/read", new() { ["uri"] = "test://secret" }),
                    client.Request("resources/read", new() { ["uri"] = "test://secret/7" }),
                    client.Request("resources/subscribe", new() { ["uri"] = "test://secret/7" }),
                })
                {
                    using var exchange = await client.PostAsync(replica, request);
                    var answer = await exchange.AnswerAsync();
                    Assert.True(allowed == answer["result"] is not null, $"{user}: {answer.ToJsonString()}");
                    if (!allowed)
                        Assert.Contains("forbidden", (string)answer["error"]!["message"]!, StringComparison.OrdinalIgnoreCase);
                }
            }

            Assert.Equal(allowed ? 2 : 0, cluster.Tool.Runs);
        }
    }

    [Fact]
    public async Task A_request_without_a_session_is_judged_the_same_way()
    {
        await using var cluster = await StartAsync();
        foreach (var (user, allowed) in new[] { (null, false), ("ada", false), ("ada admin", true) })
        {
            using var client = new RawClient { Version = "2026-07-28", User = user };
            var request = client.Call("for-admins", "x");
            request["params"]!["_meta"] = new JsonObject
            {
                ["io.modelcontextprotocol/protocolVersion"] = "2026-07-28",
                ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "raw", ["version"] = "1" },
                ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject(),
            };
            using var exchange = await client.PostAsync(cluster[0], request, h =>
            {
                h.TryAddWithoutValidation("Mcp-Method", "tools/call");
                h.TryAddWithoutValidation("Mcp-Name", "for-admins");
            });
            Assert.Equal(allowed, (await exchange.AnswerAsync())["result"] is not null);
        }

        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_server_whose_attributes_ask_for_authorization_that_is_not_set_up_does_not_start()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => InProcessCluster.StartAsync(1, server: s => s.WithTools<GuardedTools>()));
        Assert.Contains("AddAuthorization()", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_is_run_again_with_what_its_caller_may_do_when_it_comes_back(bool resumes)
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync(user: "ada admin");
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "done for " + run.User;
        };
        var call = client.Call("for-admins", "x", progress: true);
        using var old = await client.PostAsync(cluster[0], call);
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        // Another request brings the session over, and nothing is run for it.
        using (await client.PostAsync(cluster[1], client.Request("ping")))
        {
        }

        Assert.Equal(1, cluster.Tool.Runs);
        Assert.NotNull(cluster[1].Session(client.SessionId!));

        using var back = resumes ? await client.GetAsync(cluster[1], old.LastId) : await client.PostAsync(cluster[1], call);
        Assert.Equal("done for ada", RawClient.TextOf((await back.MessagesAsync())[^1]));
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_call_whose_caller_may_no_longer_do_it_is_not_run_again()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync(user: "ada admin");
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("for-admins", "x", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        client.User = "ada";
        using var back = await client.GetAsync(cluster[1], old.LastId);
        Assert.Contains("forbidden", (string)(await back.MessagesAsync())[^1]["error"]!["message"]!, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_user_without_a_subject_is_refused_with_the_reason()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new RawClient { User = "-" };
        using var refused = await client.PostAsync(cluster[0], client.Initialize());
        Assert.Equal(403, (int)refused.Status);
        Assert.Contains("'sub'", (string)(await refused.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_somebody_opened_without_signing_in_is_nobody_elses()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        client.User = "ada"; // who was talked into using it, and whose answers the other would read
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var refused = await client.PostAsync(replica, client.Call("once"));
            Assert.Equal(403, (int)refused.Status);
        }
    }

    private static Task<InProcessCluster> StartAsync() => InProcessCluster.StartAsync(server: s =>
    {
        s.Services.AddAuthorization();
        s.WithTools<GuardedTools>().WithPrompts<GuardedPrompts>().WithResources<GuardedResources>();
    });

    private static async Task<int> CountAsync(RawClient client, InProcessReplica replica, string method, string property, string prefix)
    {
        using var exchange = await client.PostAsync(replica, client.Request(method));
        return (await exchange.AnswerAsync())["result"]![property]!.AsArray().Count(p => ((string)p!["name"]!).StartsWith(prefix, StringComparison.Ordinal));
    }
}
