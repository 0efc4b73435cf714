using System.Net;
using System.Text;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>Requests without a session: what is sent again when its replica is lost, and what is not.</summary>
public sealed class StatelessRequestTests
{
    private const string Revision = "2026-07-28";

    [Theory]
    [InlineData("""{"method":"tools/call","params":{"name":"count"}}""", true)]
    [InlineData("""{"params":{"_meta":{"name":"deliver"},"arguments":{"name":["deliver"]},"name":"count"},"method":"tools/call"}""", true)]
    [InlineData("""{"method":"tools/call","params":{"name":"deliver"}}""", false)]
    [InlineData("""{"method":"tools/call","params":{"name":"coun"}}""", false)]
    [InlineData("""{"method":"tools/call","params":{"name":""}}""", false)]
    [InlineData("""{"method":"tools/call","params":{"name":"count\necho"}}""", false)]
    [InlineData("""{"method":"tools/call","params":{"name":"count","name":"deliver"}}""", false)]
    [InlineData("""{"method":"tools/call","params":{"name":7}}""", false)]
    [InlineData("""{"method":"tools/call"}""", false)]
    [InlineData("""{"method":"tools/list"}""", true)]
    [InlineData("""{"method":"tools/list","params":[]}""", true)]
    [InlineData("""{"method":"server/discover","params":{"name":"x"}}""", true)]
    [InlineData("""{"method":"tools/list","method":"tools/call"}""", false)]
    [InlineData("""{"method":"my/own"}""", false)]
    [InlineData("""{"method":7}""", false)]
    [InlineData("""{"method":"tools/list" """, false)]
    [InlineData("""[{"method":"tools/list"}]""", false)]
    [InlineData("", false)]
    public void Only_what_all_replicas_call_harmless_may_be_repeated(string body, bool may)
    {
        ReplicaInfo[] alive = [Replica("count\necho"), Replica("other\ncount")];

        Assert.Equal(may, StatelessRequest.Read(Encoding.UTF8.GetBytes(body)).MayRepeat(alive));
    }

    [Fact]
    public void A_tool_that_one_replica_does_not_vouch_for_is_not_repeated()
    {
        var call = StatelessRequest.Read("""{"method":"tools/call","params":{"name":"count"}}"""u8);

        Assert.False(call.MayRepeat([Replica("count"), Replica("echo")]));
        Assert.False(call.MayRepeat([]));
    }

    [Theory]
    [InlineData(Revision, "tools/call")]
    [InlineData(Revision, "subscriptions/listen")]
    [InlineData(null, "tools/call")]
    public async Task A_silent_call_sends_its_headers_and_comments_to_the_client(string? version, string method)
    {
        await using var bench = await BalancerBench.StartAsync(services: s => s.Configure<RelayOptions>(o => o.KeepAlive = TimeSpan.FromMilliseconds(50)));
        var replica = await bench.AddAsync("a");
        replica.Answer = async (context, _) =>
        {
            await FakeReplica.EventsAsync(context, ":\n\n"); // as a replica does that has nothing to say
            await FakeReplica.HangAsync(context);
        };
        var body = new StringContent($$$"""{"jsonrpc":"2.0","id":7,"method":"{{{method}}}","params":{"name":"count"}}""");

        using var response = await bench.SendAsync(BalancerBench.Post(version: version, body: body));

        var events = new Sse(response);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        for (var i = 0; i < 2; i++)
            Assert.Equal(":", await events.NextAsync(comments: true));
    }

    [Theory]
    [InlineData(null, 5)]
    [InlineData("00:00:07", 7)]
    public void Servers_and_balancers_have_one_setting_for_keep_alives(string? setting, int seconds)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(setting is null ? [] : [new("HighAvailability:KeepAlive", setting)]).Build();
        var balancer = new ServiceCollection().AddSingleton<IConfiguration>(configuration).AddMcpBalancer();
        var server = new ServiceCollection().AddSingleton<IConfiguration>(configuration);
        server.AddMcpServer().WithHighAvailability();

        foreach (var services in new[] { balancer, server })
        {
            using var provider = services.BuildServiceProvider();
            Assert.Equal(TimeSpan.FromSeconds(seconds), provider.GetRequiredService<IOptions<RelayOptions>>().Value.KeepAlive);
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("invented")]
    public async Task A_call_whose_replica_dies_is_sent_to_another_if_it_may_be_and_otherwise_ends_at_once(string? session)
    {
        await using var bench = await BalancerBench.StartAsync();
        var dead = 0;
        foreach (var id in (string[])["a", "b"])
            (await bench.AddAsync(id, replica => replica.Info with { Rerun = "count" })).Answer = AnswerOrDie;

        using var again = await bench.SendAsync(Call("count"));
        Assert.Equal("""{"by":"the second"}""", await again.Content.ReadAsStringAsync());

        dead = 0;
        using var once = await bench.SendAsync(Call("deliver"));
        Assert.Equal(HttpStatusCode.BadGateway, once.StatusCode);
        Assert.Contains("-32010", await once.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(1, dead);

        Task AnswerOrDie(HttpContext context, int number)
        {
            if (Interlocked.Increment(ref dead) > 1)
                return FakeReplica.JsonAsync(context, """{"by":"the second"}""");
            context.Abort();
            return Task.CompletedTask;
        }

        // A session that is named in this revision means nothing, and must not make anything repeatable.
        HttpRequestMessage Call(string tool) => BalancerBench.Post(session, Revision, body: Json($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{tool}}}"}}"""));
    }

    [Fact]
    public async Task A_call_that_takes_its_replicas_down_is_sent_to_two_of_them_and_no_more()
    {
        await using var bench = await BalancerBench.StartAsync();
        foreach (var id in (string[])["a", "b", "c", "d"])
        {
            (await bench.AddAsync(id, replica => replica.Info with { Rerun = "count" })).Answer = (context, _) =>
            {
                context.Abort();
                return Task.CompletedTask;
            };
        }

        using var response = await bench.SendAsync(BalancerBench.Post(version: Revision, body: Json("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count"}}""")));

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        var error = await response.Content.ReadAsStringAsync();
        Assert.Contains("-32010", error, StringComparison.Ordinal);
        Assert.Contains("2 replicas were lost", error, StringComparison.Ordinal);
        Assert.Equal(2, bench.Replicas.Count(replica => !replica.Requests.IsEmpty));
    }

    [Fact]
    public async Task Progress_that_a_second_run_reports_again_is_not_passed_on()
    {
        await using var bench = await BalancerBench.StartAsync();
        var runs = 0;
        foreach (var id in (string[])["a", "b"])
            (await bench.AddAsync(id, replica => replica.Info with { Rerun = "count" })).Answer = RunAsync;

        using var response = await bench.SendAsync(BalancerBench.Post(version: Revision, body: Json("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count"}}""")));
        var events = await new Sse(response).RestAsync();

        Assert.Equal([Progress(1), Progress(2), Progress(3), """data: {"result":{}}"""], events);

        Task RunAsync(HttpContext context, int number)
        {
            var steps = string.Concat(Enumerable.Range(1, 3).Select(step => Progress(step) + "\n\n"));
            return Interlocked.Increment(ref runs) == 1
                ? FakeReplica.EventsAndBreakAsync(context, Progress(1) + "\n\n" + Progress(2) + "\n\n")
                : FakeReplica.EventsAsync(context, steps + "data: {\"result\":{}}\n\n");
        }

        static string Progress(int step) => "data: {\"method\":\"notifications/progress\",\"params\":{\"progress\":" + step + "}}";
    }

    [Fact]
    public async Task A_listen_stream_is_opened_anew_at_another_replica_whenever_its_replica_is_lost()
    {
        await using var bench = await BalancerBench.StartAsync();
        var streams = 0;
        List<bool> again = [];
        foreach (var id in (string[])["a", "b"])
            (await bench.AddAsync(id)).Answer = ListenAsync;

        using var response = await bench.SendAsync(BalancerBench.Post(
            version: Revision, body: Json("""{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}""")));
        var sse = new Sse(response);

        Assert.Equal("data: {\"stream\":1}", await sse.NextAsync());
        Assert.Equal("data: {\"stream\":2}", await sse.NextAsync());
        Assert.Equal("data: {\"stream\":3}", await sse.NextAsync());
        Assert.Null(await sse.NextAsync()); // the third one ended by itself
        Assert.Equal([false, true, true], again);

        Task ListenAsync(HttpContext context, int number)
        {
            again.Add(context.Request.Headers.ContainsKey("Mcp-Ha-Again"));
            var stream = Interlocked.Increment(ref streams);
            var said = $"data: {{\"stream\":{stream}}}\n\n";
            return stream < 3 ? FakeReplica.EventsAndBreakAsync(context, said) : FakeReplica.EventsAsync(context, said);
        }
    }

    private static StringContent Json(string json) => new(json);

    private static ReplicaInfo Replica(string rerun) => FixedRegistry.Info("r", new Uri("http://127.0.0.1:1")) with { Rerun = rerun };
}
