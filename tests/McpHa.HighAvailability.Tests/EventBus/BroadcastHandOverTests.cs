using System.Text;
using System.Text.Json;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A broadcast that comes while a session is on its way from one owner to the next reaches it once, and in its order.</summary>
public sealed class BroadcastHandOverTests
{
    [Theory]
    [InlineData("ReleaseAsync", 0)]
    [InlineData("TakeOverAsync", 1)]
    public async Task A_broadcast_that_comes_while_a_session_moves_reaches_it_once(string step, int at)
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        using var listener = await cluster.ConnectAsync(0);
        using var witness = await cluster.ConnectAsync(1);

        // A call of another session keeps the replica from ending meanwhile.
        using var busy = await cluster.ConnectAsync(0);
        var end = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(end.Task);
            return run.Argument;
        };
        var running = busy.CallAsync(cluster[0], "again");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the other session's call to run");
        await SayAsync("before");
        await Wait.UntilAsync(() => HasHeard(listener, "before") && HasHeard(busy, "before") && HasHeard(witness, "before"), "all to hear of the first");

        var moving = cluster[at].Store.StopBefore(step, id => (string)id! == listener.SessionId);
        var stopping = cluster[0].StopAsync();
        await moving.Reached;
        await SayAsync("between");
        await Wait.UntilAsync(() => HasHeard(busy, "between") && HasHeard(witness, "between"), "both replicas to hear of the second");
        moving.LetGo();
        await Wait.UntilAsync(() => cluster[1].Session(listener.SessionId!) is { Epoch: 2 }, "the session to live at the other replica");
        await SayAsync("after");
        await Wait.UntilAsync(() => HasHeard(listener, "after"), "the session to hear of the third");

        using var stream = await listener.GetAsync(cluster[1]);
        List<string?> heard = [];
        while (heard is not [.., "after"])
            heard.Add((string?)(await stream.MessageAsync())["params"]!["data"]);
        Assert.Equal(["before", "between", "after"], heard);
        end.SetResult();
        await running;
        await stopping;

        bool HasHeard(RawClient client, string text) =>
            cluster.Journal(client.SessionId!).Any(entry => Encoding.UTF8.GetString(entry.Payload.Span).Contains($"\"{text}\"", StringComparison.Ordinal));

        ValueTask SayAsync(string text) => cluster[1].Get<IClusterNotifier>().LogAsync(LoggingLevel.Info, null, JsonSerializer.SerializeToElement(text));
    }
}
