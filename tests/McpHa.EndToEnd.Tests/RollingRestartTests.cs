using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Every replica, and then every balancer, is replaced under load, as a deployment does it. An nginx is in front of two balancers.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class RollingRestartTests
{
    private const int Steps = 6;

    // Not a measure: ends a test that would hang.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Clients_notice_nothing_of_a_restart_of_all_replicas_and_of_both_balancers()
    {
        Assert.SkipWhen(LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");
        await using var cluster = await LabCluster.StartAsync(new()
        {
            Balancers = 2,
            Nginx = "balancers",
            Environment = new Dictionary<string, string?>
            {
                ["Balancer__DrainTime"] = "00:00:01",

                // A busy machine may starve a replica for a second. By default such a replica is lost. This test is about replicas that are told to stop.
                ["HighAvailability__Cluster__Overdue"] = "00:00:05",
                ["HighAvailability__Cluster__ProbeTimeout"] = "00:00:05",
                ["Balancer__Cluster__Overdue"] = "00:00:05",
                ["Balancer__Cluster__ProbeTimeout"] = "00:00:05",
            },
        });
        List<Load> loads = [];
        try
        {
            for (var number = 0; number < 6; number++)
                loads.Add(new(await CSharpClient.ConnectAsync(cluster.NginxEndpoint, session: null), ClientKind.CSharp));
            for (var number = 0; number < 2 && TypeScriptClient.Unavailable is null; number++)
                loads.Add(new(await TypeScriptClient.ConnectAsync(cluster.NginxEndpoint, session: null), ClientKind.TypeScript));
            foreach (var load in loads)
                load.Start();
            await AllGoOnAsync(loads);

            var before = cluster.State;
            foreach (var replica in before.Replicas)
            {
                Processes.Send(replica.Pid, Processes.SigTerm);
                await cluster.WaitForAsync(
                    state => state.Replicas.Count == 3 && state.Replicas.All(r => r.Pid != replica.Pid && Processes.IsUp(r.Pid)), $"another replica in place of {replica.Id}");
                await AllGoOnAsync(loads);
            }

            foreach (var balancer in before.Balancers)
            {
                Processes.Send(balancer.Pid, Processes.SigTerm);
                await cluster.WaitForAsync(
                    state => state.Balancers.Count == 2 && state.Balancers.All(b => b.Pid != balancer.Pid && Processes.IsUp(b.Pid)), $"another balancer in place of {balancer.Url}");
                await AllGoOnAsync(loads);
            }

            foreach (var load in loads)
                await load.FinishAsync();
            Assert.DoesNotContain(cluster.State.ProcessIds, before.Replicas.Select(r => r.Pid).Concat(before.Balancers.Select(b => b.Pid)).Contains);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException(
                string.Join('\n', ["A client noticed.", .. loads.Select(load => load.Trouble), cluster.Logs]), e);
        }
        finally
        {
            foreach (var load in loads)
                await load.DisposeAsync();
        }
    }

    // Whatever was under way is over, and something was begun and finished since.
    private static async Task AllGoOnAsync(IReadOnlyList<Load> loads)
    {
        var rounds = loads.Select(load => load.Rounds + 2).ToArray();
        await Wait.UntilAsync(() => loads.Zip(rounds).All(pair => pair.First.HasFailed || pair.First.Rounds >= pair.Second), "all clients to go on", Limit);
        foreach (var load in loads)
            await load.ThrowIfFailedAsync();
    }

    /// <summary>One client that calls without a break and checks what it gets.</summary>
    private sealed class Load(TestClient client, ClientKind kind) : IAsyncDisposable
    {
        private volatile bool _ending;
        private volatile int _rounds;
        private Task _running = Task.CompletedTask;

        public int Rounds => _rounds;

        public bool HasFailed => _running.IsFaulted;

        public string Trouble => $"{kind}: {_rounds} rounds, {_running.Exception?.InnerException?.ToString() ?? "no trouble"}";

        public void Start() => _running = RunAsync();

        public Task ThrowIfFailedAsync() => HasFailed ? _running : Task.CompletedTask;

        public async Task FinishAsync()
        {
            _ending = true;
            await _running.WaitAsync(Limit);

            // Every call took effect once, and no connection of the client broke.
            Assert.Equal(
                Enumerable.Range(1, _rounds).Select(round => $"note {round}"),
                (await client.AskAsync("notes_list"))["notes"]!.AsArray().Select(note => (string)note!));
            Assert.Equal(2 * _rounds + 1, (long)(await client.AskAsync("counter_increment"))["value"]!);
            Assert.Empty(client.Trouble);
        }

        public async ValueTask DisposeAsync()
        {
            _ending = true;
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await client.DisposeAsync();
        }

        private async Task RunAsync()
        {
            while (!_ending)
            {
                var round = _rounds + 1;
                var countdown = client.Call("countdown", new { seconds = 0.6, intervalMs = 100 });
                var delivery = client.Call("deliver", new { seconds = 0.3 });
                var counts = new[] { client.Call("counter_increment"), client.Call("counter_increment") };
                var note = client.Call("notes_add", new { text = $"note {round}" });

                Assert.Equal(round, (await note.Answer).Structured!["notes"]!.AsArray().Count);
                var values = new List<long>();
                foreach (var count in counts)
                    values.Add((long)(await count.Answer).Structured!["value"]!);
                Assert.Equal([2 * round - 1, 2 * round], values.Order());
                Assert.StartsWith("delivered by ", (await delivery.Answer).Text, StringComparison.Ordinal);
                Assert.Equal("liftoff", (await countdown.Answer).Text);
                await Wait.UntilAsync(() => countdown.Progress.Count >= Steps, "all progress");
                Assert.Equal(
                    Enumerable.Range(1, Steps).Select(step => (double)step),
                    kind == ClientKind.CSharp ? countdown.Progress.Order() : countdown.Progress);
                _rounds = round;
            }
        }
    }
}
