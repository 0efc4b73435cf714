using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using ModelContextProtocol;

namespace McpHa.Tests;

/// <summary>Calls without a session that send nothing for a while.</summary>
public sealed class SilentCallTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_silent_call_sends_its_headers_and_comments_before_its_answer()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.KeepAlive = TimeSpan.FromSeconds(1));
        using var client = StatelessClient.New();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        var begun = client.AskAsync(cluster[0], "tools/call", Call());

        using var exchange = await begun;

        Assert.Equal((200, true), ((int)exchange.Status, exchange.IsStream));
        finish.SetResult();
        Assert.Equal("x", RawClient.TextOf(await exchange.AnswerAsync()));
    }

    [Fact]
    public async Task An_error_after_the_first_comment_is_an_event()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.KeepAlive = TimeSpan.FromSeconds(1));
        using var client = StatelessClient.New();
        var fail = new TaskCompletionSource();
        cluster.Tool.Body = async _ =>
        {
            await cluster.Tool.UntilAsync(fail.Task);
            throw new McpProtocolException("no", McpErrorCode.MethodNotFound);
        };
        var begun = client.AskAsync(cluster[0], "tools/call", Call());

        using var exchange = await begun;

        fail.SetResult();
        Assert.Equal(-32601, (int)(await exchange.AnswerAsync())["error"]!["code"]!);
        Assert.Equal(200, (int)exchange.Status);
    }

    [Fact]
    public async Task A_listen_stream_that_has_nothing_to_say_sends_its_headers()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.KeepAlive = TimeSpan.FromSeconds(1));
        using var client = StatelessClient.New();
        var begun = client.AskAsync(cluster[0], "subscriptions/listen", new() { ["notifications"] = new JsonObject() }, headers =>
        {
            headers["Mcp-Ha-Relay"] = "1";
            headers["Mcp-Ha-Again"] = "1"; // has its acknowledgement
        });

        using var exchange = await begun;

        Assert.Equal((200, true), ((int)exchange.Status, exchange.IsStream));
    }

    [Fact]
    public async Task No_comment_decides_the_status_of_a_young_request()
    {
        var (body, sent) = Body();
        body.KeepAlive();
        Assert.Equal("", sent());

        _time.Advance(KeepAliveBody.StatusDelay);
        body.KeepAlive();
        body.KeepAlive();
        Assert.Equal(":\n\n:\n\n", sent());
        await ((KeepAliveBody)body).EndAsync();
        body.KeepAlive();
        Assert.Equal(":\n\n:\n\n", sent());
    }

    [Fact]
    public async Task No_comment_gets_into_an_event()
    {
        var (body, sent) = Body();
        _time.Advance(KeepAliveBody.StatusDelay);
        foreach (var part in (string[])["data: 1\n", "data: 2", "\n", "\n"])
        {
            await ((Stream)body).WriteAsync(Encoding.UTF8.GetBytes(part), TestContext.Current.CancellationToken);
            body.KeepAlive();
        }

        Assert.Equal("data: 1\ndata: 2\n\n:\n\n", sent());
    }

    private (IKeptAlive Body, Func<string> Sent) Body()
    {
        var written = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = written } };
        return (new KeepAliveBody(context, _time), () => Encoding.UTF8.GetString(written.ToArray()));
    }

    private static JsonObject Call() => new() { ["name"] = "once", ["arguments"] = new JsonObject { ["text"] = "x" } };
}
