using System.Collections.Concurrent;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>Take-overs after the loss of an owner of many sessions: bounded, those that a call waits for first.</summary>
public sealed class AdmissionTests
{
    [Fact]
    public async Task Take_overs_are_bounded_calls_pass_streams_and_sessions_that_have_an_owner_do_not_wait()
    {
        await using var cluster = await InProcessCluster.StartAsync(2, o => o.MaxTakeOvers = 2);
        var (host, store) = (cluster[1].Get<SessionHost>(), cluster[1].Store);
        var idle = new List<RawClient>();
        for (var n = 0; n < 6; n++)
            idle.Add(await cluster.ConnectAsync());
        using var calling = await cluster.ConnectAsync();
        using var owned = await cluster.ConnectAsync(1);
        await cluster.CutOffAsync(cluster[0]);

        // Each stop holds one take-over in the store; the order in which they get there is noted.
        var order = new ConcurrentQueue<string>();
        store.StopBefore("TakeOverAsync", id =>
        {
            order.Enqueue((string)id!);
            return false;
        });
        var stops = idle.Append(calling).ToDictionary(c => c.SessionId!, c => store.StopBefore("TakeOverAsync", id => (string)id! == c.SessionId));
        var streams = idle.Select(c => c.GetAsync(cluster[1])).ToList();
        await Wait.UntilAsync(() => order.Count == 2 && host.Admission.Waiting == 4, "two take-overs to run and four to wait");

        var call = calling.CallAsync(cluster[1], "again", "x");
        await Wait.UntilAsync(() => host.Admission.Waiting == 5, "the call's take-over to wait");

        Assert.Equal("z", await owned.CallAsync(cluster[1], "again", "z"));
        Assert.Equal(2, host.Admission.Running);
        stops[order.First()].LetGo();
        await Wait.UntilAsync(() => order.Count == 3, "the next take-over");
        Assert.Equal(calling.SessionId, order.Last());
        Assert.Equal(2, host.Admission.Running);
        stops[calling.SessionId!].LetGo();
        Assert.Equal("x", await call);

        foreach (var stop in stops.Values)
            stop.LetGo();
        foreach (var stream in streams)
            (await stream).Dispose();
        Assert.Equal(7, order.Count);
        await Wait.UntilAsync(() => host.Admission is { Running: 0, Waiting: 0 }, "all take-overs to end");
        Assert.Equal(8, host.SessionCount);
        foreach (var client in idle)
            client.Dispose();
    }

    [Fact]
    public async Task A_take_over_for_a_stream_that_a_call_comes_to_wait_for_passes_other_streams()
    {
        var admission = new TakeOverAdmission(max: 1, hasCalls: static () => false, TimeProvider.System);
        var running = new PendingTakeOver(TakeOverFor.Call);
        await admission.EnterAsync(running);
        PendingTakeOver[] streams = [new(TakeOverFor.Stream), new(TakeOverFor.Stream), new(TakeOverFor.Stream)];
        foreach (var stream in streams)
            Assert.False(admission.EnterAsync(stream).IsCompleted);

        admission.Promote(streams[^1]);
        admission.Promote(streams[^1]);
        Assert.Equal(3, admission.Waiting);
        admission.Exit(running, TimeSpan.Zero);
        Assert.Equal([false, false, true], streams.Select(stream => stream.Admitted.IsCompleted));

        admission.Exit(streams[^1], TimeSpan.Zero);
        Assert.Equal([true, false, true], streams.Select(stream => stream.Admitted.IsCompleted));
    }

    [Fact]
    public async Task Take_overs_for_streams_rest_half_of_the_time_while_there_are_calls_and_not_without()
    {
        var (time, calls) = (new FakeTimeProvider(), false);
        var admission = new TakeOverAdmission(max: 1, () => calls, time);
        PendingTakeOver[] streams = [new(TakeOverFor.Stream), new(TakeOverFor.Stream), new(TakeOverFor.Stream)];
        await admission.EnterAsync(streams[0]);
        var (second, third) = (admission.EnterAsync(streams[1]), admission.EnterAsync(streams[2]));

        admission.Exit(streams[0], TimeSpan.FromMilliseconds(5));
        Assert.True(second.IsCompleted);

        calls = true;
        admission.Exit(streams[1], TimeSpan.FromMilliseconds(5));
        time.Advance(TimeSpan.FromMilliseconds(4));
        Assert.False(third.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await third.WaitAsync(Wait.Limit);
    }

    [Fact]
    public async Task Sessions_and_calls_are_counted_as_they_come_and_go()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        var (first, second) = (cluster[0].Get<SessionHost>(), cluster[1].Get<SessionHost>());
        using var ada = await cluster.ConnectAsync(user: "ada");
        using var other = await cluster.ConnectAsync(user: "ada");
        var (running, finish) = (new SemaphoreSlim(0), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            running.Release();
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        using var call = await ada.PostAsync(cluster[0], ada.Call("again", progress: true));
        Assert.True(await running.WaitAsync(Wait.Limit));
        var user = first.Find(ada.SessionId!)!.User;
        Assert.Equal((2, 1, 2), (first.SessionCount, first.CallCount, first.SessionsOf(user)));

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await ada.GetAsync(cluster[1], "c1x1-0");
        Assert.True(await running.WaitAsync(Wait.Limit));
        Assert.Equal((1, 1, 1), (second.SessionCount, second.CallCount, second.SessionsOf(user)));
        first.Find(ada.SessionId!)?.Check();
        await Wait.UntilAsync(() => (first.SessionCount, first.CallCount, first.SessionsOf(user)) == (1, 0, 1), "the fenced copy to be counted no longer");

        finish.SetResult();
        await Wait.UntilAsync(() => second.CallCount == 0, "the call to end");
        using (await ada.DeleteAsync(cluster[1]))
            Assert.Equal((0, 0), (second.SessionCount, second.SessionsOf(user)));
    }

    [Fact]
    public async Task What_a_heartbeat_says_costs_the_same_with_many_sessions()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        var (self, host) = (cluster[0].Get<SelfReplica>(), cluster[0].Get<SessionHost>());
        using var one = await cluster.ConnectAsync(user: "ada");
        var few = Allocated();
        List<RawClient> clients = [];
        for (var n = 0; n < 200; n++)
            clients.Add(await cluster.ConnectAsync(user: "ada"));
        var many = Allocated();

        Assert.Equal(201, self.Describe()!.Sessions);
        Assert.Equal(201, host.SessionsOf(host.Find(one.SessionId!)!.User));
        Assert.InRange(many, 0, few + 100);
        clients.ForEach(c => c.Dispose());

        long Allocated()
        {
            self.Describe();
            var before = GC.GetAllocatedBytesForCurrentThread();
            self.Describe();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}
