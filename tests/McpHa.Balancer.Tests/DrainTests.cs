using System.Net;
using Microsoft.AspNetCore.Http;

namespace McpHa.Tests;

/// <summary>The balancer is told to stop.</summary>
public class DrainTests
{
    [Fact]
    public async Task While_it_drains_it_serves_and_says_so_by_its_health_and_by_closing_connections()
    {
        await using var bench = await BalancerBench.StartAsync(options => options.DrainTime = TimeSpan.FromMinutes(1));
        await bench.AddAsync("a");
        using (var before = await bench.SendAsync(BalancerBench.Post()))
            Assert.Null(before.Headers.ConnectionClose);
        Assert.Equal(HttpStatusCode.OK, (await bench.Client.GetAsync("/health")).StatusCode);

        var stopping = bench.StopAsync();

        await Wait.UntilAsync(async () => (await bench.Client.GetAsync("/health")).StatusCode == HttpStatusCode.ServiceUnavailable, "the health to say so");
        using var response = await bench.SendAsync(BalancerBench.Post());
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(response.Headers.ConnectionClose);
        Assert.False(stopping.IsCompleted);
    }

    [Fact]
    public async Task It_ends_what_clients_can_resume_and_lets_the_rest_finish()
    {
        await using var bench = await BalancerBench.StartAsync(options => options.DrainTime = TimeSpan.Zero);
        var replica = await bench.AddAsync("a");
        var finish = new TaskCompletionSource();
        var asked = new TaskCompletionSource();
        replica.Answer = async (context, _) =>
        {
            if (HttpMethods.IsGet(context.Request.Method))
            {
                await FakeReplica.EventsAsync(context, "id: g-1\ndata: \n\n");
                await FakeReplica.HangAsync(context);
                return;
            }

            asked.SetResult();
            await finish.Task;
            await FakeReplica.JsonAsync(context, "{}");
        };
        using var get = new HttpRequestMessage(HttpMethod.Get, "/mcp");
        get.Headers.Accept.ParseAdd("text/event-stream");
        get.Headers.Add("Mcp-Session-Id", "s-1");
        using var stream = await bench.SendAsync(get);
        var events = new Sse(stream);
        Assert.Equal("id: g-1|data: ", await events.NextAsync());
        var call = bench.SendAsync(BalancerBench.Post("s-1"));
        await asked.Task;

        var stopping = bench.StopAsync();

        Assert.Null(await events.NextAsync());
        Assert.False(call.IsCompleted || stopping.IsCompleted);
        finish.SetResult();
        using var answer = await call;
        Assert.Equal("{}", await answer.Content.ReadAsStringAsync());
        await stopping.WaitAsync(Wait.Limit);
    }
}
