using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>
/// One run: three replicas, one client with a session, and a sequence of choices made by a seed. Whatever is chosen, a client may rely on what
/// <see cref="Judge"/> checks.
/// </summary>
/// <remarks>A replica that is suspected while it lives is what a pause and a cut look like: its steps are simply not chosen for a while.</remarks>
internal sealed class World
{
    private const int Choices = 90;
    private const int MaxFairRounds = 4_000;
    private const int RoundsPerTick = 25;

    private static readonly string[] Plans = ["", "w", "ww", "s", "ps", "psp", "q", "qs", "pqps", "Q", "Qs", "qqs", "pp"];

    private readonly Random _random;
    private readonly ManualTime _time = new();
    private readonly InMemorySessions _sessions;
    private readonly List<ExploredReplica> _replicas;
    private readonly EverybodyBeats _registry;
    private readonly Dictionary<string, Plan> _plans = [];
    private readonly Dictionary<string, int> _runs = [];
    private readonly List<Exchange> _exchanges = [];
    private readonly Dictionary<string, int> _asked = [];
    private readonly Announcer _announcer;
    private readonly Deliveries _deliveries;
    private readonly List<string> _trace = [];
    private readonly List<string> _violations = [];
    private readonly HashSet<Exchange> _cancelled = [];
    private int _ids;
    private int _posts;
    private int _drops = 4;
    private int _failures = 2;
    private int _kills = 1;
    private bool _fair;
    private bool _lostNameless;

    private World(int seed, string without, bool mayLose)
    {
        Without = without;
        _random = new Random(seed);
        _sessions = new(_time, Options.Create(new SessionStoreOptions()));
        var bus = new GatedBus(Scheduler);
        var log = new InMemoryBroadcastLog(new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance), Options.Create(new BroadcastOptions()), _time);
        _announcer = new(log);
        _deliveries = new(_announcer);
        _registry = new([.. new[] { "a", "b", "c" }.Select(ExploredReplica.Info)]);
        Loss = new(_sessions, log, _registry, Ledger, _deliveries, mayLose ? _random.Next(3) : 0);
        _replicas = [.. new[] { "a", "b", "c" }.Select(id => new ExploredReplica(id, without, Scheduler, _time, _sessions, log, bus, Ledger, _registry))];
    }

    /// <summary>The run that is under way; there is one at a time.</summary>
    public static World? Current { get; private set; }

    /// <summary>The safeguard that is missing; empty: none.</summary>
    public string Without { get; }

    public Scheduler Scheduler { get; } = new();

    public Ledger Ledger { get; } = new();

    public StoreLoss Loss { get; }

    public string? SessionId { get; set; }

    /// <summary>Connections that have gone without the server's having noticed yet.</summary>
    public List<Wire> HalfOpen { get; } = [];

    private IEnumerable<ExploredReplica> Living => _replicas.Where(r => !r.Dead);

    /// <summary>Makes one run; what was violated, with all that was chosen, or <see langword="null"/>.</summary>
    /// <param name="seed">Makes all choices.</param>
    /// <param name="without">A safeguard that is missing, to see whether that is found; empty: none.</param>
    /// <param name="mayLose">Whether the store may lose everything, up to twice.</param>
    public static string? Explore(int seed, string without = "", bool mayLose = true)
    {
        var world = Current = new World(seed, without, mayLose);
        world.Open();
        for (var n = 0; n < Choices && world._violations.Count == 0; n++)
            world.Choose();
        world.Finish();
        world.Judge();
        world._violations.AddRange(world.Ledger.Violations);
        return world._violations.Count == 0
            ? null
            : $"seed {seed}:\n  {string.Join("\n  ", world._violations)}\nafter\n  {string.Join("\n  ", world._trace)}";
    }

    /// <summary>A tool begins to work on a call.</summary>
    public Plan Begin(string call)
    {
        lock (_runs)
            _runs[call] = _runs.GetValueOrDefault(call) + 1;
        return _plans[call];
    }

    /// <summary>A tool is about to answer a call: a replica that lacks a condition for leaving answers unwritten has its way.</summary>
    public void Forget(string call, string replica)
    {
        if (Session(_replicas.Single(r => r.Id == replica)) is { } session)
            UnwrittenAnswers.Force(Without, _plans[call], session);
    }

    /// <summary>Whether the client may have an answer: the journal has it, or its call has left no trace and may run again.</summary>
    /// <remarks>Without a condition for that, what comes of it has to show.</remarks>
    public bool MayGet(string call, JsonNode answer, string payload) =>
        Ledger.Holds(payload) || UnwrittenAnswers.Lack(Without) ||
        _plans.TryGetValue(call, out var plan) && plan.LeavesNoTrace && (string?)answer["result"]?["content"]?[0]?["text"] == plan.Result(call);

    public void Violated(string what) => _violations.Add(what);

    /// <summary>Something came to the client as it must not, unless the store has lost what would have told.</summary>
    public void Broken(string what)
    {
        if (!Loss.IsGone && !Loss.IsUnfenced)
            Violated(what);
    }

    /// <summary>The client has got something that is no answer.</summary>
    public void Heard(Exchange on, JsonNode message)
    {
        switch ((string?)message["method"])
        {
            case "elicitation/create":
                var question = (string)message["params"]!["message"]!;
                var times = _asked[question] = _asked.GetValueOrDefault(question) + 1;
                if (times > 1)
                    Broken($"The client was asked '{question}' {times} times.");
                var reply = Post($"answer to {question}", null, new JsonObject
                {
                    ["id"] = message["id"]!.DeepClone(),
                    ["result"] = new JsonObject { ["action"] = "accept", ["content"] = new JsonObject { ["text"] = "re " + question } },
                });
                if (_random.Next(4) == 0) // a client that repeats itself
                    Post($"answer to {question} again", null, (JsonObject)reply.DeepClone());
                break;
        }
    }

    /// <summary>How often a tool has begun to work on a call.</summary>
    public int Runs(string call) => _runs.GetValueOrDefault(call);

    /// <summary>A replica has taken the session over.</summary>
    public void TakenOver(string by, SessionRecord record) => Loss.TakenOver(_replicas.Single(r => r.Id == by), record);

    /// <inheritdoc cref="StoreLoss.TakesOwnerForDead"/>
    public bool TakesOwnerForDead(string replica) => Loss.TakesOwnerForDead(_replicas.Single(r => r.Id == replica));

    /// <inheritdoc cref="StoreLoss.LookedInVain"/>
    public void LookedInVain(string replica) => Loss.LookedInVain(_replicas.Single(r => r.Id == replica));

    /// <summary>What each replica knows of the store's incarnation.</summary>
    public string Incarnations() => _registry.Describe(Living);

    /// <summary>The client has got a broadcast.</summary>
    public void HeardBroadcast(string position, JsonNode message)
    {
        if (_deliveries.Hear(position, message, mayLack: Loss.HasHappened) is { } wrong)
            Violated(wrong);
    }

    /// <summary>The client was cut off from a GET stream of which it has heard nothing. It cannot ask for what was sent on it.</summary>
    public void LostNameless() => _lostNameless = true;

    private void Open()
    {
        var initialize = Request("initialize", "initialize", JsonNode.Parse(
            """{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"explorer","version":"1"}}""")!);
        Carry(initialize);
        Carry(_exchanges[^1]);
        Post("initialized", null, new JsonObject { ["method"] = "notifications/initialized" });
        Carry(_exchanges[^1]);
        _exchanges.Clear();
        _exchanges.Add(new Exchange(this, "stream", "", "GET", ""));

        void Carry(Exchange exchange)
        {
            foreach (var replica in _replicas)
            {
                _ = replica.Directory.RefreshAsync().AsTask();
                _ = replica.Broadcasts.ReadAsync(default);
            }

            while (!exchange.Done)
            {
                if (exchange.Wire is null)
                    exchange.Send(_replicas[0]);
                foreach (var gate in Scheduler.Settled())
                    Scheduler.LetGo(gate);
                Scheduler.Settle();
                exchange.Look();
                if (_violations.Count > 0)
                    throw new InvalidOperationException(_violations[0]);
            }
        }
    }

    private void Choose()
    {
        List<(string What, int Weight, Action Do)> choices = [];
        foreach (var gate in Scheduler.Settled())
        {
            choices.Add((gate.Name, 6, () => Scheduler.LetGo(gate)));
            var writes = gate.What.StartsWith("commit", StringComparison.Ordinal) || gate.What.StartsWith("write back", StringComparison.Ordinal);
            if (_failures > 0 && !_fair && writes)
                choices.Add((gate.Name + " fails", 1, () => Fail(gate)));
        }

        Look();
        foreach (var exchange in _exchanges.Where(e => !e.Done && e.Wire is null))
        {
            foreach (var replica in Living)
                choices.Add(($"{exchange.Name} to {replica.Id}", exchange.Owner == replica.Id ? 8 : 2, () => exchange.Send(replica)));
        }

        if (Loss.Left > 0)
            choices.Add(("the store loses everything", Loss.WouldForget(Living) ? 1 : 4, Lose));
        choices.Add(("time passes", 2, () => _time.Next()));
        if (_plans.Count < 4)
            choices.Add(("a new call", 5, Call));
        if (_announcer.Count < 4)
            choices.Add(("a broadcast", 2, Broadcast));
        foreach (var replica in Living.Where(_announcer.HasFor))
        {
            choices.Add(($"{replica.Id} hears a broadcast", 2, () => _announcer.Bring(replica)));
            choices.Add(($"{replica.Id} does not hear a broadcast", 1, () => _announcer.Lose(replica)));
        }

        foreach (var replica in Living.Where(_announcer.IsBehind))
            choices.Add(($"{replica.Id} looks at the log", 1, () => _ = replica.Broadcasts.ReadAsync(default)));
        if (_drops > 0)
        {
            foreach (var exchange in _exchanges.Where(e => e.Wire is not null))
                choices.Add(($"{exchange.Name} loses its connection", 1, () => Drop(exchange)));
        }

        foreach (var replica in Living)
        {
            foreach (var other in _replicas.Where(o => o != replica && replica.Directory.Find(o.Id) is not null))
                choices.Add(($"{replica.Id} suspects {other.Id}", other.Dead ? 3 : Session(other) is { Serves: true } ? 2 : 0, () => replica.Directory.ReportUnreachable(other.Id)));
            if (replica.Directory.Alive.Count < _replicas.Count || _registry.Awaits(replica))
                choices.Add(($"{replica.Id} hears its peers", 1, () => Refresh(replica)));
            if (Session(replica) is { Serves: true } session)
                choices.Add(($"{replica.Id} hands over", 1, () => _ = new HandOver(session).ReleaseAsync(evenWithCalls: true, default)));
            if (_kills > 0)
                choices.Add(($"{replica.Id} is killed", 1, () => Kill(replica)));
        }

        foreach (var exchange in _exchanges.Where(e => !e.Done && _plans.ContainsKey(e.Name) && !_cancelled.Contains(e) && e.Wire is not null).Take(1))
            choices.Add(($"{exchange.Name} is cancelled", _cancelled.Count == 0 ? 1 : 0, () => Cancel(exchange)));

        var at = _random.Next(choices.Sum(c => c.Weight));
        var chosen = choices.First(c => (at -= c.Weight) < 0);
        _trace.Add(chosen.What);
        chosen.Do();
    }

    // From here on nothing goes wrong any more, and everything has to come to its end.
    private void Finish()
    {
        _fair = true;
        foreach (var wire in HalfOpen)
            wire.Cut(noticed: true);
        Scheduler.Settle();
        Look();
        if (Loss.HasHappened) // a gap is told with the next broadcast
            Broadcast();
        for (var round = 0; round < MaxFairRounds && _violations.Count == 0; round++)
        {
            // Live replicas hear of each other, and find no process where the dead were.
            foreach (var replica in Living.Where(_ => round % 50 == 0).Where(r =>
                _registry.Awaits(r) || !r.Directory.Alive.Select(a => a.Id).Order().SequenceEqual(Living.Select(l => l.Id))))
            {
                foreach (var dead in _replicas.Where(r => r.Dead))
                    replica.Directory.ReportUnreachable(dead.Id);
                Refresh(replica);
            }

            var gates = Scheduler.Settled();
            foreach (var gate in gates)
                Scheduler.LetGo(gate);
            Scheduler.Settle();
            Look();
            var waiting = _exchanges.Where(e => !e.Done && e.Wire is null).ToList();
            foreach (var exchange in waiting)
                exchange.Send(Living.FirstOrDefault(r => r.Id == exchange.Owner) ?? Living.ElementAt(round % Living.Count()));
            // Time passes for those, too, who ask again and again.
            if (round % RoundsPerTick == RoundsPerTick - 1)
                _time.Next();
            if (Living.FirstOrDefault(_announcer.HasFor) is { } behind)
                _announcer.Bring(behind);
            else if (gates.Count == 0 && Living.FirstOrDefault(_announcer.IsBehind) is { } unaware)
                _ = unaware.Broadcasts.ReadAsync(default);
            else if (gates.Count == 0 && waiting.Count == 0 && IsOver)
                return;
            else if (gates.Count == 0 && waiting.Count == 0)
                _time.Next();
        }

        if (_violations.Count == 0)
        {
            Violated(
                $"Still open in the end: {string.Join(", ", _exchanges.Where(e => !e.Done).Select(e => $"{e.Name} at {e.At?.Id ?? "no replica"}"))}; "
                + $"{_announcer.Count} broadcasts, delivered: {_deliveries}; served by "
                + $"{string.Join(",", Living.Where(r => Session(r) is { Serves: true }).Select(r => $"{r.Id} in epoch {Session(r)!.Epoch}"))}."
                + $" The stream has had: {_exchanges.First(e => e.IsGet).Wire?.Text ?? "nothing"}. Journal: {string.Join(" ", Journal())}."
                + $" {Incarnations()}");
        }
    }

    // All broadcasts, unless one may have been sent on a stream of whose existence the client never heard: it was cut off before the first byte of it
    // arrived, and a client cannot resume a stream without an id. That is a limit of the protocol.
    // The client may have answered a call's question at another owner whose take-over the store has lost. Such a call never ends.
    private bool IsOver => Loss.IsGone || !Ledger.IsStoreBehind &&
        (Loss.IsUnfenced || _exchanges.All(e => e.Done || e.IsGet) && (_lostNameless || _deliveries.IsComplete));

    private void Judge()
    {
        if (_violations.Count > 0 || Loss.IsGone)
            return;
        if (Ledger.IsStoreBehind)
            Violated("In the end the store lacks something that it had before, and the newest owner lives.");
        if (Loss.IsUnfenced)
            return;
        new Judge(this).Calls(_plans, _exchanges, _cancelled, State());
        _violations.AddRange(_deliveries.Violations(mayLack: _lostNameless));
    }

    private void Look()
    {
        foreach (var exchange in _exchanges.ToList())
            exchange.Look();
        Loss.Decided();
    }

    private void Call()
    {
        var name = $"call{_plans.Count + 1}";
        var plan = _plans[name] = new Plan(_random.Next(3) == 0 ? "once" : "again", Plans[_random.Next(Plans.Length)]);
        _trace.Add($"  {name}: {plan.Tool} {plan.Parts}");
        Request(name, "tools/call", new JsonObject
        {
            ["name"] = plan.Tool,
            ["arguments"] = new JsonObject { ["call"] = name },
            ["_meta"] = new JsonObject { ["progressToken"] = name },
        });
    }

    private void Cancel(Exchange exchange)
    {
        _cancelled.Add(exchange);
        exchange.GiveUp();
        Post($"cancel {exchange.Name}", null, new JsonObject
        {
            ["method"] = "notifications/cancelled",
            ["params"] = new JsonObject { ["requestId"] = int.Parse(exchange.Name["call".Length..], CultureInfo.InvariantCulture) + 100 },
        });
    }

    private void Broadcast()
    {
        var living = Living.ToList();
        var publisher = living[_random.Next(living.Count)];
        _trace.Add($"  {_announcer.Count + 1}: by {publisher.Id}");
        _deliveries.Publishes(publisher);
        _announcer.Announce(publisher, _replicas);
    }

    private void Drop(Exchange exchange)
    {
        _drops--;
        exchange.Break(noticed: _random.Next(2) == 0);
    }

    private void Fail(Scheduler.Gate gate)
    {
        _failures--;
        Scheduler.LetGo(gate, new StoreUnavailableException("chosen"));
    }

    // Time passes by it, so that no earlier reading of the registry counts as one of that moment.
    private void Lose()
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Loss.Happen(Living);
    }

    private void Refresh(ExploredReplica replica)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        _ = replica.Directory.RefreshAsync().AsTask();
    }

    private void Kill(ExploredReplica replica)
    {
        _kills--;
        replica.Dead = true;
        _registry.Silent.Add(replica.Id);
        Scheduler.Kill(replica.Id);
        foreach (var exchange in _exchanges.Where(e => e.At == replica))
            exchange.Break(noticed: false);
        Loss.Killed(replica);
    }

    private LiveSession? Session(ExploredReplica replica) => replica.Host.Find(SessionId!);

    private IEnumerable<string> Journal()
    {
        if (!_sessions.TryGet(SessionId!, out var session))
            return [];
        lock (session)
            return [.. session.Snapshot().Journal.Select(e => $"{e.Stream}-{e.Position} {Encoding.UTF8.GetString(e.Payload.Span)}")];
    }

    private int State()
    {
        if (!_sessions.TryGet(SessionId!, out var session))
            return -1;
        lock (session)
            return session.State().TryGetValue("n", out var value) ? int.Parse(Encoding.UTF8.GetString(value.Span), CultureInfo.InvariantCulture) : 0;
    }

    private Exchange Request(string name, string method, JsonNode parameters)
    {
        Post(name, name.StartsWith("call", StringComparison.Ordinal) ? 100 + _plans.Count : ++_ids, new JsonObject { ["method"] = method, ["params"] = parameters });
        return _exchanges[^1];
    }

    private JsonObject Post(string name, int? id, JsonObject message)
    {
        message["jsonrpc"] = "2.0";
        if (id is not null)
            message["id"] = id;
        _exchanges.Add(new Exchange(this, name, $"exchange-of-this-world-{++_posts}", "POST", message.ToJsonString()));
        return message;
    }
}
