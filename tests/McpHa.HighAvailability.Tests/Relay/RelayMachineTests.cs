using System.Text;
using Mcp.HighAvailability.Relay;

namespace McpHa.Tests.Relays;

/// <summary>Drives the machine without I/O, through everything that replicas, routes and clients can do, in any order.</summary>
public class RelayMachineTests
{
    private const int Runs = 20_000;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_exchange_ends_once_and_its_client_gets_each_event_once_and_in_order(bool repeatable)
    {
        var ends = new HashSet<RelayAction>();
        for (var seed = 0; seed < Runs; seed++)
            ends.Add(new Exploration(seed, repeatable).Run());

        // The exploration has come everywhere.
        RelayAction[] all =
        [
            RelayAction.Answer, RelayAction.AnswerInStream, RelayAction.Fail, RelayAction.Refuse, RelayAction.EndElsewhere, RelayAction.Abort, RelayAction.ServeHere, RelayAction.Done,
        ];
        Assert.Equal(all.Where(action => action is not RelayAction.Fail || !repeatable), ends.Order());
    }

    [Fact]
    public void A_request_that_may_have_run_and_may_not_be_repeated_is_not_sent_again()
    {
        var machine = Machine(HttpMethod.Post, repeatable: false);
        machine.Begin();
        Assert.Equal(RelayAction.Send, machine.Chosen(Target("a"), TimeSpan.Zero).Action);
        var end = machine.NotAnswered(RelayFailureKind.Broken, TimeSpan.Zero);
        Assert.Equal((RelayAction.Fail, RelayError.MayHaveRun), (end.Action, end.Error));
    }

    [Fact]
    public void A_request_that_was_not_sent_goes_to_another_replica_at_once()
    {
        var machine = Machine(HttpMethod.Post, repeatable: false);
        machine.Begin();
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.Ask, machine.NotAnswered(RelayFailureKind.Refused, TimeSpan.Zero).Action);
        Assert.Equal(TimeSpan.Zero, machine.PauseBefore(Target("b")));
        Assert.True(machine.PauseBefore(Target("a")) > TimeSpan.Zero);
        Assert.Equal(RelayAction.Send, machine.Chosen(Target("b"), TimeSpan.Zero).Action);
    }

    [Fact]
    public void A_stream_that_broke_is_resumed_after_its_last_event_and_the_priming_event_is_not_repeated()
    {
        var machine = Machine(HttpMethod.Post, repeatable: true);
        machine.Begin();
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.StartStream, machine.Answered(Stream(), false, TimeSpan.Zero).Action);
        Assert.True(machine.Event(Event("c1-1", "x")).Passes);
        Assert.Equal(RelayAction.Ask, machine.Broke(lost: false, TimeSpan.Zero).Action);
        Assert.Equal(RelayAction.Resume, machine.Chosen(Target("b"), TimeSpan.Zero).Action);
        Assert.Equal("c1-1", Encoding.UTF8.GetString(machine.Cursor));
        Assert.Equal(RelayAction.ReadEvents, machine.Answered(Stream(), true, TimeSpan.Zero).Action);
        Assert.False(machine.Event(Event("c1-1", "")).Passes);
        Assert.True(machine.Event(Event("c1-2", "y")).Passes);
    }

    [Fact]
    public void The_hold_time_ends_an_exchange_that_no_replica_takes_and_counts_anew_for_one_that_was_taken()
    {
        var machine = Machine(HttpMethod.Get, repeatable: true);
        machine.Begin();
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.Ask, machine.NotAnswered(RelayFailureKind.Unavailable, TimeSpan.Zero).Action);
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.Refuse, machine.NotAnswered(RelayFailureKind.Unavailable, TimeSpan.FromSeconds(30)).Action);

        machine = Machine(HttpMethod.Get, repeatable: true);
        machine.Begin();
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.Ask, machine.NotAnswered(RelayFailureKind.Broken, TimeSpan.FromSeconds(40)).Action);
    }

    [Fact]
    public void A_request_that_takes_its_replicas_down_is_given_up()
    {
        var machine = new RelayMachine(Exchange(HttpMethod.Post, repeatable: false, mayRepeat: true), null, maxReplicaLosses: 2);
        machine.Begin();
        machine.Chosen(Target("a"), TimeSpan.Zero);
        Assert.Equal(RelayAction.Ask, machine.NotAnswered(RelayFailureKind.Broken, TimeSpan.Zero).Action);
        machine.Chosen(Target("b"), TimeSpan.Zero);
        var end = machine.NotAnswered(RelayFailureKind.Lost, TimeSpan.Zero);
        Assert.Equal("replicas-lost", end.Error!.Reason);
    }

    private static RelayMachine Machine(HttpMethod method, bool repeatable) => new(Exchange(method, repeatable), null, maxReplicaLosses: 2);

    private static RelayExchange Exchange(HttpMethod method, bool repeatable, bool? mayRepeat = null, bool listens = false, bool forRelay = false) => new()
    {
        Method = method,
        PathAndQuery = "/mcp",
        Repeatable = repeatable,
        MayRepeat = mayRepeat is { } may ? () => may : null,
        Listens = listens,
        ForRelay = forRelay,
    };

    private static RelayTarget Target(string replica) => new(replica, new Uri("http://127.0.0.1:1"), Hop: false);

    private static RelayHead Stream(string? cursor = null) => new(200, true, null, null, cursor, false, null);

    private static SseEvent Event(string id, string data) =>
        new(Encoding.UTF8.GetBytes($"id: {id}\ndata: {data}\n\n"), Encoding.UTF8.GetBytes(id), data.Length > 0, false);

    /// <summary>One exchange in a made-up cluster: a journal of events that every replica serves from any cursor, and faults at every step.</summary>
    private sealed class Exploration
    {
        private readonly Random _random;
        private readonly RelayExchange _exchange;
        private readonly RelayMachine _machine;
        private readonly int _events;
        private readonly bool _withIds;
        private readonly List<int> _passed = [];
        private TimeSpan _now;
        private bool _acted; // a replica may have acted on the request

        public Exploration(int seed, bool repeatable)
        {
            _random = new Random(seed);
            var method = _random.Next(4) switch { 0 => HttpMethod.Get, 1 => HttpMethod.Delete, _ => HttpMethod.Post };
            _exchange = Exchange(method, repeatable || method != HttpMethod.Post, OneIn(3), method == HttpMethod.Post && OneIn(5), OneIn(3));
            _machine = new(_exchange, OneIn(2) ? null : "c1-0", maxReplicaLosses: 2);
            _events = _random.Next(6);
            _withIds = !OneIn(3);
        }

        public RelayAction Run()
        {
            var step = _machine.Begin();
            for (var steps = 0; !step.IsLast; steps++)
            {
                Assert.True(steps < 10_000, "it goes on forever");
                step = Advance(step);
            }

            if (step.Action is RelayAction.Answer or RelayAction.Refuse or RelayAction.ServeHere)
                Assert.False(_machine.Streams);
            if (step.Action is RelayAction.AnswerInStream or RelayAction.Abort)
                Assert.True(_machine.Streams);
            if (step.Action is RelayAction.EndElsewhere)
                Assert.True(_machine.Ending && _machine.CanEndHere);
            if (_withIds)
                Assert.Equal(Enumerable.Range(1, _passed.Count), _passed);
            return step.Action;
        }

        private RelayStep Advance(RelayStep step)
        {
            Disturb();
            Assert.Equal(RelayAction.Ask, step.Action);
            Assert.InRange(_machine.HoldUntil(_now), _now - TimeSpan.FromSeconds(31), _now + _exchange.HoldTime);
            var target = OneIn(20) ? null : Target(((char)('a' + _random.Next(3))).ToString()) with { IsHere = OneIn(10) };
            var chosen = _machine.Chosen(target, _now);
            if (chosen.IsLast)
                return chosen;
            var resumes = chosen.Action is RelayAction.Resume;
            Assert.Equal(_machine.Streams && !_machine.Cursor.IsEmpty, resumes);
            if (!resumes && _acted)
                Assert.True(_exchange.Repeatable || _exchange.Listens || _exchange.MayRepeat!(), "sent again although it must not be");
            return Attempt(resumes);
        }

        private RelayStep Attempt(bool resumes)
        {
            Disturb();
            switch (_random.Next(8))
            {
                case 0:
                    return _machine.NotAnswered(RelayFailureKind.Refused, _now);
                case 1:
                    _acted = true;
                    return _machine.NotAnswered(OneIn(2) ? RelayFailureKind.Broken : RelayFailureKind.Lost, _now);
                case 2:
                    return _machine.Answered(new(421, false, "b", null, null, false, null), resumes, _now);
                case 3:
                    var begun = OneIn(2) ? "a" : null;
                    _acted |= begun is not null;
                    return _machine.Answered(new(503, false, null, null, null, true, begun), resumes, _now);
                case 4:
                    return Whole(resumes);
                default:
                    return Events(resumes);
            }
        }

        private RelayStep Whole(bool resumes)
        {
            var status = OneIn(3) ? 404 : 200;
            Assert.Equal(RelayAction.ReadWhole, _machine.Answered(new(status, false, null, "s", null, false, null), resumes, _now).Action);
            Disturb();
            if (OneIn(4))
            {
                _acted = true;
                return _machine.Broke(OneIn(2), _now);
            }

            return _machine.Whole(status, OneIn(2), resumes);
        }

        private RelayStep Events(bool resumes)
        {
            var begins = !_machine.Streams;
            var step = _machine.Answered(Stream(_withIds && OneIn(2) ? "c1-0" : null), resumes, _now);
            Assert.Equal(begins ? RelayAction.StartStream : RelayAction.ReadEvents, step.Action);
            var from = resumes ? int.Parse(Encoding.UTF8.GetString(_machine.Cursor).AsSpan(3)) : 0;
            if (_withIds && (resumes || OneIn(2)))
                Assert.Equal(!resumes, _machine.Event(Event($"c1-{from}", "")).Passes);
            for (var number = from + 1; number <= _events; number++)
            {
                Disturb();
                if (_machine.Next() is { IsLast: true } last)
                    return last;
                if (OneIn(4))
                {
                    _acted = true;
                    return _machine.Broke(OneIn(2), _now);
                }

                if (_machine.Event(_withIds ? Event($"c1-{number}", "x") : new("data: x\n\n"u8.ToArray(), default, true, false)).Passes)
                    _passed.Add(number);
            }

            _acted = true;
            return _machine.StreamEnded(OneIn(2), _now);
        }

        private void Disturb()
        {
            _now += TimeSpan.FromMilliseconds(OneIn(10) ? 4_000 : 1);
            _machine.ClientGone |= OneIn(60);
            _machine.Ending |= OneIn(30);
        }

        private bool OneIn(int n) => _random.Next(n) == 0;
    }
}
