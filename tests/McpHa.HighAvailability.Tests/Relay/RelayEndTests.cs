using System.Net;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests.Relays;

/// <summary>The process that relays is about to end.</summary>
public class RelayEndTests
{
    private const string One = "id: s-1\ndata: one\n\n";

    [Fact]
    public async Task A_stream_that_its_client_can_resume_ends_cleanly_and_closes_the_connection_to_the_replica()
    {
        await using var bench = await StartAsync();
        var closed = new TaskCompletionSource();
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, One);
            await FakeReplica.HangAsync(context);
            closed.SetResult();
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("id: s-1|data: one", await events.NextAsync());

        bench.Relay.EndStreams();

        Assert.Null(await events.NextAsync());
        await closed.Task.WaitAsync(Wait.Limit);
        Assert.Empty(bench.Failures);
    }

    [Fact]
    public async Task A_stream_that_its_client_cannot_resume_yet_goes_on_until_it_can()
    {
        await using var bench = await StartAsync();
        var more = new TaskCompletionSource();
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, "data: no id\n\n", cursor: "s-0");
            await more.Task;
            await context.Response.WriteAsync(One);
            await context.Response.Body.FlushAsync();
            await FakeReplica.HangAsync(context);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("data: no id", await events.NextAsync());

        bench.Relay.EndStreams();
        var next = events.NextAsync();
        more.SetResult();

        Assert.Equal("id: s-1|data: one", await next);
        Assert.Null(await events.NextAsync());
    }

    [Fact]
    public async Task A_call_that_ends_at_once_is_answered_on_its_own_response()
    {
        await using var bench = await RelayBench.StartAsync();
        var ending = new TaskCompletionSource();
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, "id: s-0\ndata: \n\n");
            await ending.Task;
            await context.Response.WriteAsync(One);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("id: s-0|data: ", await events.NextAsync());

        bench.Relay.EndStreams();
        ending.SetResult();

        Assert.Equal(["id: s-1|data: one"], await events.RestAsync());
    }

    [Fact]
    public async Task A_stream_of_another_relay_breaks_because_a_clean_end_would_be_the_end_of_everything()
    {
        await using var bench = await StartAsync();
        bench.ForRelay = true;
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, ": nothing yet\n\n", cursor: "s-0");
            await FakeReplica.HangAsync(context);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal("s-0", response.Headers.GetValues("Mcp-Ha-Cursor").Single());

        bench.Relay.EndStreams();

        await Assert.ThrowsAnyAsync<IOException>(() => new Sse(response).NextAsync());
    }

    [Fact]
    public async Task An_answer_that_is_no_stream_is_waited_for()
    {
        await using var bench = await StartAsync();
        var arrived = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        await bench.AddAsync("a", async (context, _) =>
        {
            arrived.SetResult();
            await answer.Task;
            await FakeReplica.JsonAsync(context, "{}");
        });
        var sending = bench.SendAsync(RelayBench.Post());
        await arrived.Task;

        bench.Relay.EndStreams();
        answer.SetResult();

        using var response = await sending;
        Assert.Equal("{}", await response.Content.ReadAsStringAsync());
    }

    private static Task<RelayBench> StartAsync() => RelayBench.StartAsync(options => options.CallsFinish = TimeSpan.FromMilliseconds(20));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_relay_that_gives_up_tells_another_relay_that_it_may_ask_elsewhere(bool forRelay)
    {
        await using var bench = await RelayBench.StartAsync();
        (bench.ForRelay, bench.HoldTime) = (forRelay, TimeSpan.FromMilliseconds(1));
        await bench.AddAsync("a", (context, _) =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers["Mcp-Ha-Transient"] = "1";
            return Task.CompletedTask;
        });

        using var response = await bench.SendAsync(RelayBench.Post());

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Contains("-32012", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(forRelay, response.Headers.Contains("Mcp-Ha-Transient"));
    }
}
