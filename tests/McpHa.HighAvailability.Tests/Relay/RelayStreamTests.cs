using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests.Relays;

public class RelayStreamTests
{
    private const string One = "id: s-1\ndata: one\n\n";
    private const string Two = "id: s-2\ndata: two\n\n";
    private const string Three = "id: s-3\ndata: three\n\n";

    [Fact]
    public async Task A_stream_that_breaks_within_an_event_goes_on_at_the_next_replica_on_the_same_response()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", (context, _) =>
            FakeReplica.EventsAndBreakAsync(context, "id: s-0\nretry: 100\n\n" + One + Two[..12], "Mcp-Ha-Cursor: s-0"));
        var next = await bench.AddAsync("b", (context, _) => FakeReplica.EventsAsync(context, ": hello\n\nid: s-1\ndata: \n\n" + Two + Three, cursor: "s-1"));

        var request = RelayBench.Post();
        request.Headers.Add("Authorization", "Bearer secret");
        request.Headers.Add("MCP-Protocol-Version", "2025-11-25");
        using var response = await bench.SendAsync(request);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.False(response.Headers.Contains("Mcp-Ha-Cursor"));
        Assert.Equal(["id: s-0|retry: 100", "id: s-1|data: one", "id: s-2|data: two", "id: s-3|data: three"], await new Sse(response).RestAsync());

        var resume = Assert.Single(next.Requests);
        Assert.Equal(("GET", "/mcp", ""), (resume.Method, resume.Target, resume.Body));
        Assert.Equal("s-1", resume.Headers["Last-Event-ID"]);
        Assert.Equal("s-1", resume.Headers["Mcp-Session-Id"]);
        Assert.Equal("2025-11-25", resume.Headers["MCP-Protocol-Version"]);
        Assert.Equal("Bearer secret", resume.Headers["Authorization"]);
        Assert.Equal("text/event-stream", resume.Headers["Accept"]);
        Assert.False(resume.Headers.ContainsKey("Content-Type"));
    }

    [Fact]
    public async Task A_stream_that_breaks_before_its_first_event_is_resumed_from_where_it_began()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", (context, _) =>
            FakeReplica.EventsAndBreakAsync(context, "", "Mcp-Ha-Cursor: s-0", "Mcp-Session-Id: made-by-a"));
        var next = await bench.AddAsync("b", (context, _) => FakeReplica.EventsAsync(context, "id: s-0\n\n" + One));
        var initialize = RelayBench.Post();
        initialize.Headers.Remove("Mcp-Session-Id");
        using var response = await bench.SendAsync(initialize);
        Assert.Equal(["id: s-1|data: one"], await new Sse(response).RestAsync());
        var resume = Assert.Single(next.Requests);
        Assert.Equal(("GET", "s-0", "made-by-a"), (resume.Method, resume.Headers["Last-Event-ID"], resume.Headers["Mcp-Session-Id"]));
    }

    [Fact]
    public async Task A_stream_without_ids_is_asked_for_again_and_a_json_answer_becomes_its_last_event()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", BreakAsync);
        await bench.AddAsync("b", BreakAsync);
        var last = await bench.AddAsync("c", (context, _) => FakeReplica.JsonAsync(context, "{\"jsonrpc\":\"2.0\",\n\"id\":7,\"result\":{}}"));
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(["event: message|data: {\"jsonrpc\":\"2.0\",|data: \"id\":7,\"result\":{}}"], await new Sse(response).RestAsync());
        Assert.Equal("POST", Assert.Single(last.Requests).Method);

        static Task BreakAsync(HttpContext context, int number) => FakeReplica.EventsAndBreakAsync(context, ": nothing yet\n\n");
    }

    [Fact]
    public async Task A_stream_survives_one_replica_after_the_other()
    {
        await using var bench = await RelayBench.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await bench.AddAsync($"r{i}", (context, _) =>
            {
                var from = context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } id ? int.Parse(id[2..]) : 0;
                var priming = from > 0 ? $"id: s-{from}\n\n" : "";
                var text = $"{priming}id: s-{from + 1}\ndata: {from + 1}\n\n";
                return from < 29 ? FakeReplica.EventsAndBreakAsync(context, text) : FakeReplica.EventsAsync(context, text);
            });
        }

        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(Enumerable.Range(1, 30).Select(n => $"id: s-{n}|data: {n}"), await new Sse(response).RestAsync());
    }

    [Fact]
    public async Task A_GET_stream_leaves_calls_that_broke_at_the_same_moment_the_time_to_go_first()
    {
        await using var bench = await RelayBench.StartAsync();
        long broke = 0, resumed = 0;
        await bench.AddAsync("a", (context, _) =>
        {
            broke = Stopwatch.GetTimestamp();
            return FakeReplica.EventsAndBreakAsync(context, "id: g1x1-1\ndata: one\n\n");
        });
        await bench.AddAsync("b", (context, _) =>
        {
            resumed = Stopwatch.GetTimestamp();
            return FakeReplica.EventsAsync(context, "id: g1x1-1\ndata: \n\nid: g1x1-2\ndata: two\n\n");
        });

        using var response = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/mcp"));

        var stream = new Sse(response);
        Assert.Equal("id: g1x1-1|data: one", await stream.NextAsync());
        Assert.Equal("id: g1x1-2|data: two", await stream.NextAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(broke, resumed), TimeSpan.FromMilliseconds(45), Wait.Limit);
    }

    [Fact]
    public async Task Nothing_left_to_resume_ends_the_stream()
    {
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", OneAndBreakAsync);
        await bench.AddAsync("b", (context, _) =>
        {
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal(["id: s-1|data: one"], await new Sse(response).RestAsync());
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    public async Task A_stream_that_cannot_be_resumed_is_broken_off_and_not_ended(int status)
    {
        await using var bench = await RelayBench.StartAsync();
        var read = new TaskCompletionSource(); // a broken connection takes back what the client has not read
        await bench.AddAsync("a", OneAndBreakAsync);
        await bench.AddAsync("b", async (context, _) =>
        {
            await read.Task;
            await FakeReplica.JsonAsync(context, "{}", status);
        });
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("id: s-1|data: one", await events.NextAsync());
        read.SetResult();
        await Assert.ThrowsAnyAsync<IOException>(() => events.NextAsync());
    }

    [Fact]
    public async Task A_stream_of_a_request_that_must_not_be_repeated_ends_with_the_error_as_its_last_event()
    {
        await using var bench = await RelayBench.StartAsync();
        bench.Repeatable = false;
        await bench.AddAsync("a", (context, _) => FakeReplica.EventsAndBreakAsync(context, "data: progress\n\n"));
        var other = await bench.AddAsync("b");
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = await new Sse(response).RestAsync();
        Assert.Equal(2, events.Count);
        Assert.Contains("-32010", events[1], StringComparison.Ordinal);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task A_stream_whose_replica_falls_silent_goes_on_when_the_directory_gives_it_up()
    {
        await using var bench = await RelayBench.StartAsync();
        var frozen = await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, One);
            await FakeReplica.HangAsync(context);
        });
        await bench.AddAsync("b", (context, _) => FakeReplica.EventsAsync(context, "id: s-1\n\n" + Two));
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("id: s-1|data: one", await events.NextAsync());
        bench.Registry.Set(frozen.Info, TimeSpan.FromSeconds(50));
        await bench.Directory.RefreshAsync();
        Assert.Equal(["id: s-2|data: two"], await events.RestAsync());
    }

    [Fact]
    public async Task A_get_stream_that_a_draining_replica_ends_goes_on_at_the_next_and_a_clean_end_is_the_clients()
    {
        await using var bench = await RelayBench.StartAsync();
        var draining = await bench.AddAsync("a", (context, _) => FakeReplica.EventsAsync(context, One, cursor: "s-0"));
        await bench.AddAsync("b", (context, _) => FakeReplica.EventsAsync(context, "id: s-1\n\n" + Two));
        bench.Registry.Set(draining.Info with { Draining = true });
        await bench.Directory.RefreshAsync();

        using var spliced = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/mcp"));
        Assert.Equal(["id: s-1|data: one", "id: s-2|data: two"], await new Sse(spliced).RestAsync());

        bench.Registry.Set(draining.Info);
        await bench.Directory.RefreshAsync();
        using var ended = await bench.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/mcp"));
        Assert.Equal(["id: s-1|data: one"], await new Sse(ended).RestAsync());
    }

    [Fact]
    public async Task A_client_that_resumes_by_itself_gets_its_priming_event()
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a", (context, _) => FakeReplica.EventsAsync(context, "id: s-1\n\n" + Two));
        var request = new HttpRequestMessage(HttpMethod.Get, "/mcp");
        request.Headers.Add("Last-Event-ID", "s-1");
        using var response = await bench.SendAsync(request);
        Assert.Equal(["id: s-1", "id: s-2|data: two"], await new Sse(response).RestAsync());
        Assert.Equal("s-1", Assert.Single(replica.Requests).Headers["Last-Event-ID"]);
    }

    [Fact]
    public async Task The_client_hears_comments_while_nothing_flows_also_during_a_failover()
    {
        await using var bench = await RelayBench.StartAsync(options => options.KeepAlive = TimeSpan.FromMilliseconds(50));
        var goOn = new TaskCompletionSource();
        await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, One);
            await goOn.Task;
            context.Abort();
        });
        await bench.AddAsync("b", (context, _) => FakeReplica.HangAsync(context));
        using var response = await bench.SendAsync(RelayBench.Post());
        var events = new Sse(response);
        Assert.Equal("id: s-1|data: one", await events.NextAsync());
        Assert.Equal(":", await events.NextAsync(comments: true));
        goOn.SetResult();
        await Wait.UntilAsync(() => bench.Failures.Count == 1, "the failover");
        for (var i = 0; i < 3; i++)
            Assert.Equal(":", await events.NextAsync(comments: true));
    }

    [Fact]
    public async Task A_client_that_goes_takes_the_replicas_connection_with_it_and_nothing_else_happens()
    {
        await using var bench = await RelayBench.StartAsync();
        var gone = new TaskCompletionSource();
        var replica = await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, One);
            await FakeReplica.HangAsync(context);
            gone.SetResult();
        });
        var other = await bench.AddAsync("b");
        var response = await bench.SendAsync(RelayBench.Post());
        Assert.Equal("id: s-1|data: one", await new Sse(response).NextAsync());
        response.Dispose();
        await gone.Task.WaitAsync(Wait.Limit);
        Assert.Empty(other.Requests);
        Assert.Empty(bench.Failures);
    }

    [Fact]
    public async Task A_client_that_goes_while_it_waits_takes_the_replicas_connection_with_it()
    {
        await using var bench = await RelayBench.StartAsync();
        var gone = new TaskCompletionSource();
        var replica = await bench.AddAsync("a", async (context, _) =>
        {
            await FakeReplica.HangAsync(context);
            gone.SetResult();
        });
        using var leave = new CancellationTokenSource();
        var answer = bench.SendAsync(RelayBench.Post(), leave.Token);
        await Wait.UntilAsync(() => !replica.Requests.IsEmpty, "the request");
        leave.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        await gone.Task.WaitAsync(Wait.Limit);
        Assert.Empty(bench.Failures);
    }

    [Fact]
    public async Task A_slow_client_slows_the_replica_and_gets_every_event()
    {
        const int Events = 4000;
        var data = new string('x', 8 * 1024);
        long waiting = 0; // the event that the replica cannot write yet
        await using var bench = await RelayBench.StartAsync();
        await bench.AddAsync("a", async (context, number) =>
        {
            if (number > 1)
            {
                await FakeReplica.JsonAsync(context, "{}");
                return;
            }

            context.Response.ContentType = "text/event-stream";
            for (var i = 1; i <= Events; i++)
            {
                var writing = context.Response.WriteAsync($"id: s-{i}\ndata: {data}\n\n");
                Interlocked.Exchange(ref waiting, writing.IsCompleted ? 0 : i);
                await writing;
            }
        });
        using var response = await bench.SendAsync(RelayBench.Post());

        long before = -1;
        await Wait.UntilAsync(
            async () =>
            {
                // The same event waits while the relay and the replica serve others: the buffers between the two are full.
                before = Interlocked.Read(ref waiting);
                for (var i = 0; i < 20; i++)
                {
                    using var other = await bench.SendAsync(RelayBench.Post());
                    Assert.Equal("{}", await other.Content.ReadAsStringAsync());
                }

                return before > 0 && before == Interlocked.Read(ref waiting);
            },
            "the replica to be slowed down");
        Assert.InRange(before, 1, Events - 1);

        var events = await new Sse(response).RestAsync();
        Assert.Equal(Enumerable.Range(1, Events).Select(i => $"id: s-{i}"), events.Select(text => text.Split('|')[0]));
    }

    private static Task OneAndBreakAsync(HttpContext context, int number) => FakeReplica.EventsAndBreakAsync(context, One);
}
