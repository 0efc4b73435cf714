using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.Tests;

/// <summary>HTTP+SSE, the transport of 2024-11-05: one stream for everything, which a relay can go on with at the next owner.</summary>
public sealed class LegacySseTests
{
    [Fact]
    public async Task It_is_off_unless_it_is_asked_for()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new LegacyClient();
        using var refused = await client.GetAsync(cluster[0]);
        Assert.Equal(HttpStatusCode.NotFound, refused.Status);

        var both = new HighAvailabilityOptionsValidator().Validate(null, new() { EnableLegacySse = true, SessionMode = SessionMode.Stateless });
        Assert.Contains("EnableLegacySse", both.FailureMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/mcp/sse", "/mcp/message")]
    [InlineData("/sse", "/message")]
    public async Task Clients_find_it_below_the_endpoint_and_at_the_root_at_the_owner_and_at_others(string path, string messages)
    {
        await using var cluster = await StartAsync();
        using var client = new LegacyClient { Path = path };
        using var stream = await client.ConnectAsync(cluster[0]);
        Assert.StartsWith($"{messages}?sessionId=", client.Address, StringComparison.Ordinal);
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            await client.AcceptedAsync(replica, client.Call("once", replica.Id));
            Assert.Equal(replica.Id, await stream.TextAsync());
        }
    }

    [Fact]
    public void What_is_asked_of_the_endpoint_is_asked_of_all_its_addresses()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddMcpServer().WithHighAvailability(ha => ha.Configure(o => (o.EnableLegacySse, o.AllowedOrigins) = (true, "https://app.example.com")));
        var app = builder.Build();
        app.MapHighlyAvailableMcp("/mcp").RequireAuthorization();
        var endpoints = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().ToList();
        Assert.Equal(["/mcp", "/mcp/message", "/mcp/sse", "/message", "/sse"], endpoints.Select(e => "/" + e.RoutePattern.RawText!.Trim('/')).Distinct().Order(StringComparer.Ordinal));
        Assert.All(endpoints, e => Assert.NotNull(e.Metadata.GetMetadata<IAuthorizeData>()));
        Assert.All(endpoints, e => Assert.Equal(e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods is ["OPTIONS"], e.Metadata.GetMetadata<IAllowAnonymous>() is not null));
    }

    [Fact]
    public async Task Answers_progress_and_announcements_come_on_the_one_stream_and_the_session_id_in_the_endpoint_alone()
    {
        await using var cluster = await StartAsync(1);
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            return run.Argument;
        };
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        Assert.Equal($"/mcp/message?sessionId={client.SessionId}", client.Address);
        Assert.DoesNotContain(client.SessionId, stream.Response.Headers.ToString(), StringComparison.Ordinal);

        await client.AcceptedAsync(cluster[0], client.Call("once", "one", progress: true));
        Assert.Equal(1, (int)(await stream.MessageAsync())["params"]!["progress"]!);
        Assert.Equal("one", await stream.TextAsync());

        await AnnounceAsync(cluster[0], client, "news");
        Assert.Equal("news", (string?)(await stream.MessageAsync())["params"]!["data"]);

        using var accepted = await client.PostAsync(cluster[0], client.Call("once", "two").ToJsonString());
        Assert.Equal("Accepted", await accepted.Content.ReadAsStringAsync());
        Assert.False(accepted.Headers.Contains("Mcp-Session-Id"));
        Assert.False(accepted.Headers.Contains("Mcp-Ha-Owner"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_the_loss_of_the_owner_the_stream_goes_on_with_everything_once_and_in_order(bool throughAPeer)
    {
        await using var cluster = await StartAsync(3);
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Token is null)
                return run.Argument;
            for (var step = 1; step <= 3; step++)
            {
                await run.ProgressAsync(step);
                if (step == 2 && run.Replica.ReplicaId == "replica-a")
                    await cluster.Tool.UntilAsync(new TaskCompletionSource().Task);
            }

            await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        using var client = new LegacyClient();
        using var broken = await client.ConnectAsync(cluster[0]);
        await AnnounceAsync(cluster[0], client, "before");
        await broken.MessageAsync();
        var seen = broken.LastId;
        await client.AcceptedAsync(cluster[0], client.Call("again", "done", progress: true));
        Assert.Equal(1, (int)(await broken.MessageAsync())["params"]!["progress"]!);
        await broken.MessageAsync(); // the client has not had this one

        await cluster.CutOffAsync(cluster[0]);
        await client.AcceptedAsync(cluster[1], client.Call("once", "posted meanwhile"));
        await AnnounceAsync(cluster[1], client, "after");
        using var resumed = await client.ResumeAsync(cluster[throughAPeer ? 2 : 1], seen);
        finish.SetResult();

        List<JsonNode> messages = [];
        while (messages.Count(m => m["id"] is not null) < 2)
            messages.Add(await resumed.MessageAsync());
        Assert.Equal([1, 2, 3], messages.Where(m => m["params"]?["progress"] is not null && (string?)m["params"]!["progressToken"] == "p").Select(m => (int)m["params"]!["progress"]!));
        Assert.Equal(["after"], messages.Where(m => m["params"]?["data"] is not null).Select(m => (string?)m["params"]!["data"]));
        Assert.Equal(["done", "posted meanwhile"], messages.Where(m => m["id"] is not null).Select(RawClient.TextOf).Order());
        await client.AcceptedAsync(cluster[2], client.Call("once", "last"));
        Assert.Equal("last", await LastTextAsync(resumed));
    }

    [Fact]
    public async Task What_must_not_run_twice_ends_with_an_error_on_the_stream()
    {
        await using var cluster = await StartAsync();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(new TaskCompletionSource().Task);
            return "";
        };
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        var call = client.Call("once");
        await client.AcceptedAsync(cluster[0], call);
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.ResumeAsync(cluster[1], stream.LastId);

        var error = await resumed.MessageAsync();
        Assert.Equal(((int)call["id"]!, -32010), ((int)error["id"]!, (int)error["error"]!["code"]!));
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_question_is_asked_once_and_its_answer_reaches_the_call_at_the_next_owner()
    {
        await using var cluster = await StartAsync();
        cluster.Tool.Body = run => run.AskAsync("Who?");
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        await client.AcceptedAsync(cluster[0], client.Call("again"));
        var question = await stream.MessageAsync();
        Assert.Equal("elicitation/create", (string?)question["method"]);

        await cluster.CutOffAsync(cluster[0]);
        await client.AcceptedAsync(cluster[1], RawClient.Answer(question, "Ada"));
        using var resumed = await client.ResumeAsync(cluster[1], stream.LastId);

        Assert.Equal("Ada", await resumed.TextAsync());
    }

    [Fact]
    public async Task A_session_that_is_lost_before_its_initialize_is_initialised_at_the_next_owner()
    {
        await using var cluster = await StartAsync();
        using var client = new LegacyClient();
        using var stream = await client.OpenAsync(cluster[0]);

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.ResumeAsync(cluster[1], stream.LastId);
        await client.AcceptedAsync(cluster[1], new RawClient { Version = "2024-11-05" }.Initialize());
        Assert.Equal("2024-11-05", (string?)(await resumed.MessageAsync())["result"]!["protocolVersion"]);
        await client.AcceptedAsync(cluster[1], RawClient.Notification("notifications/initialized"));

        // And what was said then is known to the one after it.
        await cluster[1].DrainAsync();
        var record = cluster.Snapshot(client.SessionId)!.Record;
        Assert.Equal([HandshakeKeys.Initialize, HandshakeKeys.Initialized, HandshakeKeys.OneStream], record.Handshake.Keys.Except([HandshakeKeys.Broadcast]).Order());
    }

    [Fact]
    public async Task A_message_that_is_posted_twice_runs_once()
    {
        await using var cluster = await StartAsync();
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        var call = client.Call("once", "x");
        await client.AcceptedAsync(cluster[0], call);
        await client.AcceptedAsync(cluster[1], call);
        Assert.Equal("x", await stream.TextAsync());
        await cluster.CutOffAsync(cluster[0]);
        await client.AcceptedAsync(cluster[1], call);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_call_is_accepted_when_it_is_written_down()
    {
        await using var cluster = await StartAsync();
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        var writing = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Calls.Count > 0);
        var posted = client.AcceptedAsync(cluster[0], client.Call("again", "x"));
        await writing.Reached;
        Assert.False(posted.IsCompleted);

        writing.LetGo();
        await posted;
        Assert.Equal("x", await stream.TextAsync());
    }

    [Fact]
    public async Task A_replica_that_drains_hands_the_session_over()
    {
        await using var cluster = await StartAsync();
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);

        await cluster[0].StopAsync();

        Assert.Null(await stream.NextAsync());
        Assert.Equal("replica-b", cluster.Snapshot(client.SessionId)!.Record.Owner);
        using var resumed = await client.ResumeAsync(cluster[1], stream.LastId);
        await client.AcceptedAsync(cluster[1], client.Call("once", "x"));
        Assert.Equal("x", await resumed.TextAsync());
    }

    [Fact]
    public async Task A_draining_replica_has_a_new_session_opened_at_a_peer()
    {
        await using var cluster = await StartAsync();
        cluster[0].Get<SessionHost>().Draining = true;
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        Assert.NotNull(cluster[1].Session(client.SessionId));
    }

    [Fact]
    public async Task A_session_ends_when_nobody_has_listened_for_the_hold_time_and_not_before_wherever_it_lives()
    {
        await using var cluster = await StartAsync(options: o => o.HoldTime = TimeSpan.FromMilliseconds(300));
        using var listening = new LegacyClient();
        using var stream = await listening.ConnectAsync(cluster[0]);
        using var gone = new LegacyClient();
        using (await gone.ConnectAsync(cluster[0]))
        {
        }

        await Wait.UntilAsync(() => cluster[0].Session(gone.SessionId) is null, "the session without a listener to end");
        using (var refused = await gone.PostAsync(cluster[1], gone.Call("once").ToJsonString()))
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        await listening.AcceptedAsync(cluster[0], listening.Call("once", "still here"));
        Assert.Equal("still here", await stream.TextAsync());

        // Taken over by a message, and no client comes for the stream.
        await cluster.CutOffAsync(cluster[0]);
        await Wait.UntilAsync(
            async () =>
            {
                using var posted = await listening.PostAsync(cluster[1], listening.Request("ping").ToJsonString());
                return posted.StatusCode == HttpStatusCode.NotFound && cluster[1].Session(listening.SessionId) is null;
            },
            "the session to end at its next owner");
    }

    [Fact]
    public async Task A_session_is_its_users_on_every_replica_and_after_a_take_over()
    {
        await using var cluster = await StartAsync();
        using var ada = new LegacyClient { User = "ada" };
        using var eve = new LegacyClient { User = "eve" };
        using var stream = await ada.ConnectAsync(cluster[0]);
        await ForbiddenAsync(cluster[0]);
        await ForbiddenAsync(cluster[1]);

        await cluster.CutOffAsync(cluster[0]);
        await ForbiddenAsync(cluster[1]); // who takes it over by that
        using var resumed = await ada.ResumeAsync(cluster[1], stream.LastId);
        await ada.AcceptedAsync(cluster[1], ada.Call("once", "mine"));
        Assert.Equal("mine", await resumed.TextAsync());

        async Task ForbiddenAsync(InProcessReplica replica)
        {
            using var posted = await eve.PostAsync(replica, eve.Call("once").ToJsonString(), ada.Address);
            using var read = await eve.GetAsync(replica, request =>
            {
                request.Headers.TryAddWithoutValidation("Mcp-Session-Id", ada.SessionId);
                request.Headers.TryAddWithoutValidation("Last-Event-ID", "g1x1-0");
            });
            Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (posted.StatusCode, read.Status));
        }
    }

    [Fact]
    public async Task Requests_that_are_not_as_they_should_be_are_refused()
    {
        await using var cluster = await StartAsync(1);
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        var ping = client.Request("ping").ToJsonString();
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(ping, "/mcp/message"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(ping, "/mcp/message?sessionId=unknown"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("{"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync($"[{ping}]"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await StatusAsync(ping, contentType: "text/plain"));

        // A browser that comes back by itself knows no session: it is to stop.
        using var back = await client.GetAsync(cluster[0], request => request.Headers.TryAddWithoutValidation("Last-Event-ID", stream.LastId));
        Assert.Equal(HttpStatusCode.NoContent, back.Status);
        using var foreign = await client.GetAsync(cluster[0], request => request.Headers.TryAddWithoutValidation("Origin", "https://evil.example"));
        Assert.Equal(HttpStatusCode.Forbidden, foreign.Status);
        using var rebound = await client.GetAsync(cluster[0], request => request.Headers.Host = "evil.example");
        Assert.Equal(HttpStatusCode.Forbidden, rebound.Status);

        // Each transport has its own sessions.
        using var streamable = await cluster.ConnectAsync();
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(ping, $"/mcp/message?sessionId={streamable.SessionId}"));
        streamable.SessionId = client.SessionId;
        using var posted = await streamable.PostAsync(cluster[0], streamable.Call("once"));
        using var opened = await streamable.GetAsync(cluster[0]);
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (posted.Status, opened.Status));

        async Task<HttpStatusCode> StatusAsync(string body, string? address = null, string contentType = "application/json")
        {
            using var response = await client.PostAsync(cluster[0], body, address, contentType);
            return response.StatusCode;
        }
    }

    private static Task<InProcessCluster> StartAsync(int replicas = 2, Action<HighAvailabilityOptions>? options = null) =>
        InProcessCluster.StartAsync(replicas, o =>
        {
            o.EnableLegacySse = true;
            options?.Invoke(o);
        });

    private static Task AnnounceAsync(InProcessReplica replica, LegacyClient client, string text) =>
        replica.Session(client.SessionId)!.Unrelated.SendAsync(
            new ModelContextProtocol.Protocol.JsonRpcNotification { Method = "notifications/message", Params = new JsonObject { ["level"] = "info", ["data"] = text } }, default);

    private static async Task<string> LastTextAsync(LegacyStream stream)
    {
        while (true)
        {
            var message = await stream.MessageAsync();
            if (message["id"] is not null)
                return RawClient.TextOf(message);
        }
    }
}
