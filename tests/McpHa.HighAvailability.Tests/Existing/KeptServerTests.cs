using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>A <see cref="McpServer"/> that the application keeps beyond its call sends for its session, as long as this replica owns it.</summary>
public sealed class KeptServerTests
{
    private const string Method = "notifications/acme/price";

    [Fact]
    public async Task A_server_kept_from_a_tool_notifies_the_client_after_its_call()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var kept = await KeepAsync(cluster, client);

        await NotifyAsync(kept, 1);
        using var stream = await client.GetAsync(cluster[0]);
        for (var n = 2; n <= 7; n++)
            await NotifyAsync(kept, n);

        for (var n = 1; n <= 7; n++)
            Assert.Equal(n, (int?)(await stream.MessageAsync())["params"]!["n"]);
        Assert.Equal(7, cluster.Journal(client.SessionId!).Count(entry => entry.Payload.Span.IndexOf("acme"u8) >= 0));
    }

    [Fact]
    public async Task A_server_kept_from_a_handler_of_the_beginning_notifies_the_client()
    {
        var kept = new ConcurrentDictionary<string, McpServer>();
        await using var cluster = await InProcessCluster.StartAsync(1, server: mcp => mcp.WithMessageFilters(filters => filters.AddIncomingFilter(next => (context, cancellationToken) =>
        {
            if (context.JsonRpcMessage is JsonRpcRequest { Method: RequestMethods.Initialize } or JsonRpcNotification { Method: NotificationMethods.InitializedNotification })
                kept[((context.JsonRpcMessage as JsonRpcRequest)?.Method ?? NotificationMethods.InitializedNotification)] = context.Server;
            return next(context, cancellationToken);
        })));
        using var client = await cluster.ConnectAsync();
        await Wait.UntilAsync(() => kept.Count == 2, "the beginning");
        using var stream = await client.GetAsync(cluster[0]);

        foreach (var (from, server) in kept)
        {
            Assert.Equal(client.SessionId, server.SessionId);
            await server.SendNotificationAsync(from + "/later");
            Assert.Equal(from + "/later", (string?)(await stream.MessageAsync())["method"]);
        }
    }

    [Fact]
    public async Task What_a_handler_sends_while_the_session_is_opened_reaches_its_first_stream()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: mcp => mcp.WithMessageFilters(filters => filters.AddIncomingFilter(next => async (context, cancellationToken) =>
        {
            if (context.JsonRpcMessage is JsonRpcRequest { Method: RequestMethods.Initialize })
                await context.Server.SendNotificationAsync(Method, cancellationToken);
            await next(context, cancellationToken);
        })));
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        Assert.Equal(Method, (string?)(await stream.MessageAsync())["method"]);
    }

    [Fact]
    public async Task A_kept_server_asks_the_client_on_its_stream()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var kept = await KeepAsync(cluster, client);
        using var stream = await client.GetAsync(cluster[0]);

        var asking = kept.ElicitAsync(new() { Message = "Sure?", RequestedSchema = new() { Properties = { ["text"] = new ElicitRequestParams.StringSchema() } } }).AsTask();
        using (var answered = await client.PostAsync(cluster[0], RawClient.Answer(await stream.MessageAsync(), "yes")))
            await answered.BodyAsync();

        Assert.Equal("yes", (await asking.WaitAsync(Wait.Limit)).Content!["text"].GetString());
    }

    [Fact]
    public async Task Progress_of_a_call_that_has_ended_goes_nowhere()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var kept = await KeepAsync(cluster, client);
        using var stream = await client.GetAsync(cluster[0]);

        await kept.SendNotificationAsync(NotificationMethods.ProgressNotification, new ProgressNotificationParams { ProgressToken = new("p"), Progress = new() { Progress = 1 } });
        await NotifyAsync(kept, 1);

        Assert.Equal(Method, (string?)(await stream.MessageAsync())["method"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_the_session_has_moved_the_send_fails_and_names_the_cure(bool known)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var kept = await KeepAsync(cluster, client);
        var gone = cluster[0].Session(client.SessionId!)!.Gone;
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        if (known)
        {
            cluster[0].Session(client.SessionId!)?.Check();
            await gone.WaitAsync(Wait.Limit);
        }

        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => NotifyAsync(kept, 1));

        Assert.Contains("IMcpSessions", failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(cluster.Journal(client.SessionId!), entry => entry.Payload.Span.IndexOf("acme"u8) >= 0);
    }

    private static async Task<McpServer> KeepAsync(InProcessCluster cluster, RawClient client)
    {
        McpServer? kept = null;
        cluster.Tool.Body = run =>
        {
            kept = run.Server;
            return Task.FromResult(run.Server.SessionId ?? "");
        };
        Assert.Equal(client.SessionId, await client.CallAsync(cluster[0], "once"));
        return kept!;
    }

    private static Task NotifyAsync(McpServer server, int number) =>
        server.SendMessageAsync(new JsonRpcNotification { Method = Method, Params = new JsonObject { ["n"] = number } });
}
