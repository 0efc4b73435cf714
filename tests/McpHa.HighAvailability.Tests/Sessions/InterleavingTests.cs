using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>What happens to a session in any order, checked against what a client may rely on.</summary>
public sealed class InterleavingTests
{
    public enum Step
    {
        /// <summary>Begins a call that adds to the counter and may be run again.</summary>
        CallAgain,

        /// <summary>Begins a call that adds to the counter and must not run twice.</summary>
        CallOnce,

        /// <summary>The newest open call emits progress.</summary>
        Emit,

        /// <summary>The newest open call asks its client.</summary>
        Ask,

        /// <summary>The client answers the oldest open question.</summary>
        Answer,

        /// <summary>The oldest open call comes to its end.</summary>
        Finish,

        /// <summary>The client withdraws the newest open call.</summary>
        Cancel,

        /// <summary>The client loses the connection of the oldest open call and resumes it.</summary>
        Drop,

        /// <summary>The owner is cut off, and lives on.</summary>
        TakeOver,
    }

    [Fact]
    public void Whatever_happens_every_event_comes_once_and_in_order_and_every_acknowledged_call_counts_once()
    {
        var steps = Gen.Frequency(
            (4, Gen.Constant(Step.CallAgain)), (2, Gen.Constant(Step.CallOnce)), (6, Gen.Constant(Step.Emit)), (3, Gen.Constant(Step.Ask)),
            (4, Gen.Constant(Step.Answer)), (4, Gen.Constant(Step.Finish)), (1, Gen.Constant(Step.Cancel)), (3, Gen.Constant(Step.Drop)),
            (2, Gen.Constant(Step.TakeOver)));
        Prop.ForAll(steps.ListOf(14).ToArbitrary(), list => RunAsync(list).GetAwaiter().GetResult()).CheckSeeded(15);
    }

    private static async Task<bool> RunAsync(IEnumerable<Step> steps)
    {
        const int most = 3;
        await using var cluster = await InProcessCluster.StartAsync(most, o => o.MaxReplicaLosses = 1_000);
        var world = new World(cluster, await cluster.ConnectAsync());
        cluster.Tool.Body = world.RunAsync;
        foreach (var step in steps)
            await world.DoAsync(step, most);
        await world.EndAsync();
        return true;
    }

    /// <summary>What a call is told to do next; every run of it does all of it from the start.</summary>
    private sealed class Script
    {
        private readonly List<(string Kind, int N)> _orders = [];
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Add(string kind, int n = 0)
        {
            lock (_orders)
            {
                _orders.Add((kind, n));
                _more.SetResult();
                _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public async Task<(string Kind, int N)> AtAsync(int index, ToolScript tool)
        {
            while (true)
            {
                Task more;
                lock (_orders)
                {
                    if (index < _orders.Count)
                        return _orders[index];
                    more = _more.Task;
                }

                await tool.UntilAsync(more);
            }
        }
    }

    private sealed class Open(string name, bool again, JsonObject request, Script script, Exchange exchange)
    {
        public string Name => name;

        public bool Again => again;

        public JsonObject Request => request;

        public Script Script => script;

        public Exchange Exchange { get; set; } = exchange;

        public string LastId { get; set; } = "";

        public int Emitted { get; set; }

        public int Asked { get; set; }

        public int Seen { get; set; }

        public HashSet<string> Questions { get; } = [];

        public Queue<JsonNode> Unanswered { get; } = [];
    }

    private sealed class World(InProcessCluster cluster, RawClient client)
    {
        private readonly ConcurrentDictionary<string, Script> _scripts = new();
        private readonly List<Open> _open = [];
        private int _owner;
        private int _calls;
        private int _acknowledged;

        public async Task<string> RunAsync(ToolRun run)
        {
            var script = _scripts[run.Argument];
            List<string> heard = [];
            for (var at = 0; ; at++)
            {
                var (kind, n) = await script.AtAsync(at, cluster.Tool);
                switch (kind)
                {
                    case "emit":
                        await run.ProgressAsync(n);
                        break;
                    case "ask":
                        heard.Add(await run.AskAsync($"{run.Argument} {n}"));
                        break;
                    case "finish":
                        return $"{await run.State.UpdateAsync<int>("n", v => v + 1)} {string.Join(',', heard)}";
                }
            }
        }

        public async Task DoAsync(Step step, int most)
        {
            switch (step)
            {
                case Step.CallAgain or Step.CallOnce:
                    var name = $"call{++_calls}";
                    var again = step == Step.CallAgain;
                    var request = client.Call(again ? "again" : "once", name, progress: true);
                    var script = new Script();
                    _scripts[name] = script;
                    var exchange = await client.PostAsync(cluster[_owner], request);
                    var call = new Open(name, again, request, script, exchange);
                    _open.Add(call);
                    Assert.Null((await exchange.NextAsync())!.Message);
                    call.LastId = exchange.LastId;
                    break;
                case Step.Emit when Newest is { } speaking:
                    speaking.Script.Add("emit", ++speaking.Emitted);
                    break;
                case Step.Ask when Newest is { } asking:
                    asking.Script.Add("ask", ++asking.Asked);
                    await ReadAsync(asking, c => c.Questions.Count == c.Asked);
                    break;
                case Step.Answer when _open.Find(c => c.Unanswered.Count > 0) is { } asked:
                    await AnswerAsync(asked);
                    break;
                case Step.Finish when _open.Find(c => c.Unanswered.Count == 0) is { } finishing:
                    await FinishAsync(finishing);
                    break;
                case Step.Cancel when Newest is { } withdrawn:
                    using (await client.PostAsync(cluster[_owner], RawClient.Cancel(withdrawn.Request)))
                        _open.Remove(withdrawn);
                    Assert.DoesNotContain(await RestAsync(withdrawn), m => m["result"] is not null || m["error"] is not null);
                    break;
                case Step.Drop when _open.FirstOrDefault() is { } dropped:
                    await ResumeAsync(dropped);
                    break;
                case Step.TakeOver when _owner < most - 1:
                    await cluster.CutOffAsync(cluster[_owner++]);
                    foreach (var interrupted in _open.ToList())
                    {
                        await ResumeAsync(interrupted);
                        if (!interrupted.Again)
                            await RefusedAsync(interrupted);
                    }

                    break;
            }
        }

        public async Task EndAsync()
        {
            foreach (var call in _open.ToList())
            {
                while (call.Unanswered.Count > 0)
                    await AnswerAsync(call);
                await FinishAsync(call);
            }

            var state = cluster.State(client.SessionId!).TryGetValue("n", out var value) ? Encoding.UTF8.GetString(value.Span) : "0";
            Assert.Equal(_acknowledged, int.Parse(state));
            Assert.All(cluster.Snapshot(client.SessionId!)?.Calls.Values ?? [], call => Assert.True(InFlightCall.IsWithdrawn(call))); // marks of what was cancelled
            client.Dispose();
        }

        private Open? Newest => _open.FindLast(c => c.Unanswered.Count == 0);

        private async Task FinishAsync(Open call)
        {
            call.Script.Add("finish");
            var rest = await RestAsync(call);
            var answer = rest[^1];
            Assert.Equal(call.Emitted, call.Seen);
            var text = RawClient.TextOf(answer).Split(' ');
            Assert.Equal(++_acknowledged, int.Parse(text[0]));
            Assert.Equal(string.Join(',', Enumerable.Range(1, call.Asked).Select(n => $"to {call.Name} {n}".Replace(' ', '_'))), text[1]);
            _open.Remove(call);

            // Asked for again, it is answered the same and not run.
            using var repeated = await client.PostAsync(cluster[_owner], call.Request);
            Assert.Equal(answer, await repeated.AnswerAsync(), JsonNode.DeepEquals);
        }

        private async Task RefusedAsync(Open call)
        {
            var rest = await RestAsync(call);
            Assert.Equal(-32010, (int)rest[^1]["error"]!["code"]!);
            _open.Remove(call);
        }

        private async Task AnswerAsync(Open call)
        {
            var question = call.Unanswered.Dequeue();
            using var accepted = await client.PostAsync(cluster[_owner], RawClient.Answer(question, $"to {(string)question["params"]!["message"]!}".Replace(' ', '_')));
            Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        }

        private async Task ResumeAsync(Open call)
        {
            call.Exchange.Dispose();
            call.Exchange = await client.GetAsync(cluster[_owner], call.LastId);
            Assert.Equal(HttpStatusCode.OK, call.Exchange.Status);
        }

        private async Task ReadAsync(Open call, Func<Open, bool> enough)
        {
            while (!enough(call) && await call.Exchange.NextAsync() is { } next)
                Take(call, next);
        }

        private async Task<List<JsonNode>> RestAsync(Open call)
        {
            List<JsonNode> rest = [];
            while (await call.Exchange.NextAsync() is { } next)
            {
                Take(call, next);
                if (next.Message is { } message)
                    rest.Add(message);
            }

            return rest;
        }

        // Positions go up, progress comes in steps of one, a question comes once.
        private static void Take(Open call, Event next)
        {
            if (next.Message is not null)
                Assert.True(Position(next.Id) > Position(call.LastId), $"{next.Id} came after {call.LastId}.");
            call.LastId = next.Id;
            if (next.Message?["params"]?["progress"] is { } progress)
                Assert.Equal(++call.Seen, (int)progress);
            if ((string?)next.Message?["method"] == "elicitation/create")
            {
                Assert.True(call.Questions.Add((string)next.Message["id"]!), "The client was asked twice.");
                call.Unanswered.Enqueue(next.Message);
            }
        }

        private static long Position(string id) => long.Parse(id[(id.IndexOf('-', StringComparison.Ordinal) + 1)..]);
    }
}
