using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>The SDK's filters, of requests and of messages, are passed in sessions, without one, and when a call is run again.</summary>
public sealed class FilterTests
{
    private readonly ConcurrentQueue<string> _seen = new();

    [Theory]
    [InlineData("2025-11-25")]
    [InlineData("2026-07-28")]
    public async Task Every_filter_is_passed_and_may_change_what_it_sees(string version)
    {
        await using var cluster = await StartAsync();
        using var client = version == StatelessClient.Revision ? StatelessClient.New("ada") : await cluster.ConnectAsync(version: version, user: "ada");

        using var list = await AskAsync("tools/list", []);
        Assert.Equal(["once"], (await list.AnswerAsync())["result"]!["tools"]!.AsArray().Select(tool => (string?)tool!["name"]));
        using var call = await AskAsync("tools/call", new() { ["name"] = "once", ["arguments"] = new JsonObject { ["text"] = "x" } });
        var answer = await call.AnswerAsync();
        Assert.Equal(("x", "ada"), (RawClient.TextOf(answer), (string?)answer["result"]!["_meta"]!["for"]));
        Assert.Superset(new HashSet<string> { "in tools/call", "out" }, _seen.ToHashSet());

        Task<Exchange> AskAsync(string method, JsonObject parameters) => version == StatelessClient.Revision
            ? client.AskAsync(cluster[0], method, parameters)
            : client.PostAsync(cluster[0], client.Request(method, parameters));
    }

    [Fact]
    public async Task A_call_that_is_run_again_passes_them_again()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync(user: "ada");
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "again";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        var answer = (await resumed.MessagesAsync())[^1];

        Assert.Equal(("again", "ada"), (RawClient.TextOf(answer), (string?)answer["result"]!["_meta"]!["for"]));
        Assert.Equal(2, _seen.Count(one => one == "in tools/call"));
    }

    [Fact]
    public async Task Filters_see_the_user_on_initialize_and_what_a_client_has_sent_once()
    {
        ConcurrentQueue<string> messages = new();
        await using var cluster = await InProcessCluster.StartAsync(server: server => server.WithMessageFilters(filters => filters
            .AddIncomingFilter(next => (context, cancellationToken) =>
            {
                var method = (context.JsonRpcMessage as JsonRpcRequest)?.Method ?? (context.JsonRpcMessage as JsonRpcNotification)?.Method;
                messages.Enqueue($"{method} {context.User?.FindFirst("sub")?.Value}");
                return next(context, cancellationToken);
            })
            .AddOutgoingFilter(next => (context, cancellationToken) =>
            {
                messages.Enqueue("answer");
                return next(context, cancellationToken);
            })));
        using var client = await cluster.ConnectAsync(user: "ada");
        using (var level = await client.PostAsync(cluster[0], client.Request("logging/setLevel", new() { ["level"] = "warning" })))
            await level.AnswerAsync();
        Assert.Equal(["answer", "answer", "initialize ada", "logging/setLevel ada", "notifications/initialized ada"], messages.Order(StringComparer.Ordinal));
        messages.Clear();
        await cluster.CutOffAsync(cluster[0]);
        LoggingLevel? heard = null;
        cluster.Tool.Body = run =>
        {
            heard = run.Server.LoggingLevel;
            return Task.FromResult(run.Argument);
        };

        Assert.Equal("x", await client.CallAsync(cluster[1], "again", "x"));

        Assert.Equal(["tools/call ada", "answer"], messages);
        Assert.Equal(LoggingLevel.Warning, heard);
    }

    private Task<InProcessCluster> StartAsync() => InProcessCluster.StartAsync(server: server => server
        .WithMessageFilters(filters => filters
            .AddIncomingFilter(next => (context, cancellationToken) =>
            {
                if (context.JsonRpcMessage is JsonRpcRequest request)
                    _seen.Enqueue("in " + request.Method);
                return next(context, cancellationToken);
            })
            .AddOutgoingFilter(next => (context, cancellationToken) =>
            {
                if (context.JsonRpcMessage is JsonRpcResponse)
                    _seen.Enqueue("out");
                return next(context, cancellationToken);
            }))
        .WithRequestFilters(filters => filters
            .AddCallToolFilter(next => async (context, cancellationToken) =>
            {
                var result = await next(context, cancellationToken);
                result.Meta = new JsonObject { ["for"] = context.User?.FindFirst("sub")?.Value };
                return result;
            })
            .AddListToolsFilter(next => async (context, cancellationToken) =>
            {
                var result = await next(context, cancellationToken);
                result.Tools = [.. result.Tools.Where(tool => tool.Name != "again")];
                return result;
            })));
}
