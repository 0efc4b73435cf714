using System.Diagnostics.Metrics;
using FsCheck;
using FsCheck.Fluent;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>Steps of a session in any order, driven by hand: no threads, no clock, no store.</summary>
public sealed class SessionCoreTests
{
    public enum Input
    {
        /// <summary>A call that may be rerun begins.</summary>
        BeginLazy,

        /// <summary>A call that must not run twice begins.</summary>
        BeginOnce,

        /// <summary>The moment is over for which a lazy beginning waits.</summary>
        FlushLazy,

        /// <summary>The newest call sends progress.</summary>
        Send,

        /// <summary>The newest call asks its client.</summary>
        Ask,

        /// <summary>The oldest call is answered.</summary>
        Answer,

        /// <summary>The client cancels the newest call.</summary>
        Cancel,

        /// <summary>The client opens a GET stream, and gets what has waited.</summary>
        OpenGet,

        /// <summary>The server sends something outside calls.</summary>
        SendUnrelated,

        /// <summary>The store answers the commit under way.</summary>
        Commit,

        /// <summary>The store has lost the session and gets it back.</summary>
        WriteBack,

        /// <summary>The session is to drain between two calls.</summary>
        DrainWhenQuiet,

        /// <summary>It stays after all, unless it drains already.</summary>
        StopDraining,

        /// <summary>Another owner is found in the store.</summary>
        Fence,
    }

    private static readonly Gen<Input> Inputs = Gen.Frequency(
        (5, Gen.Constant(Input.BeginLazy)), (3, Gen.Constant(Input.BeginOnce)), (2, Gen.Constant(Input.FlushLazy)), (5, Gen.Constant(Input.Send)),
        (2, Gen.Constant(Input.Ask)), (6, Gen.Constant(Input.Answer)), (1, Gen.Constant(Input.Cancel)), (2, Gen.Constant(Input.OpenGet)),
        (3, Gen.Constant(Input.SendUnrelated)), (8, Gen.Constant(Input.Commit)), (1, Gen.Constant(Input.WriteBack)), (1, Gen.Constant(Input.DrainWhenQuiet)),
        (1, Gen.Constant(Input.StopDraining)), (1, Gen.Constant(Input.Fence)));

    [Theory]
    [InlineData(Durability.Durable)]
    [InlineData(Durability.Fast)]
    public void In_any_order_of_inputs_the_invariants_hold(Durability durability) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1_000).WithQuietOnSuccess(true),
        Prop.ForAll(Inputs.ListOf(60).ToArbitrary(), inputs =>
        {
            var driver = new Driver(durability);
            foreach (var input in inputs)
                driver.Do(input);
            driver.End();
            return true;
        }));

    [Fact]
    public void Every_phase_leads_to_an_end_and_none_leads_back()
    {
        foreach (var from in Enum.GetValues<SessionPhase>())
        {
            foreach (var to in Enum.GetValues<SessionPhase>())
                Assert.True(!from.MayBecome(to) || to > from, $"{from} may become {to}.");
            Assert.Equal(!from.IsOver(), from.MayBecome(SessionPhase.Fenced));
        }
    }

    [Fact]
    public void A_session_that_is_to_drain_between_two_calls_does_it_with_the_end_of_the_last_one()
    {
        var driver = new Driver(Durability.Durable);
        driver.Do(Input.BeginLazy);
        driver.Do(Input.DrainWhenQuiet);
        Assert.True(driver.Core.IsActive);

        driver.Do(Input.Answer);

        Assert.Equal(SessionPhase.Draining, driver.Core.Phase);
        Assert.True(HandOverSteps.StopDraining(driver.Core));
        Assert.Equal(AdmissionKind.NotServed, driver.Admit(mayRunTwice: true).Kind);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Late_in_a_drain_a_call_that_must_not_run_twice_waits(bool mayRunTwice, bool waits)
    {
        var driver = new Driver(Durability.Durable);
        driver.Core.Admission.HoldsOnce = true;
        Assert.Equal(waits ? AdmissionKind.Waits : AdmissionKind.Begun, driver.Admit(mayRunTwice).Kind);

        // Not while the client has been asked something: it may have to call before it answers.
        driver.Core.Questions["asked"] = new RequestId(1);
        Assert.Equal(AdmissionKind.Begun, driver.Admit(mayRunTwice).Kind);
    }

    [Fact]
    public void Calls_wait_while_the_session_is_paused_and_begin_when_it_stays()
    {
        var driver = new Driver(Durability.Durable);
        driver.Core.Admission.Paused = true;
        var waiting = driver.Admit(mayRunTwice: true);
        Assert.Equal(AdmissionKind.Waits, waiting.Kind);
        Assert.Equal(1, driver.Core.Admission.Waiting);

        driver.Core.Admission.Paused = false;

        Assert.Equal(AdmissionKind.Begun, driver.Admit(mayRunTwice: true, waiting.Waiting).Kind);
        Assert.Equal(0, driver.Core.Admission.Waiting);
    }

    [Fact]
    public void A_request_that_is_cancelled_while_it_waits_never_begins()
    {
        var driver = new Driver(Durability.Durable);
        driver.Core.Admission.Paused = true;
        var waiting = driver.Admit(mayRunTwice: true);

        CancellationSteps.Cancel(driver.Core, waiting.Waiting!.Id, ExchangeId.New());
        driver.Core.Admission.Paused = false;

        Assert.Equal(AdmissionKind.Withdrawn, driver.Admit(mayRunTwice: true, waiting.Waiting).Kind);
        Assert.Equal(0, driver.Core.Calls.Count);
    }

    /// <summary>Runs steps as the runner does, and keeps what a store and a client would have.</summary>
    private sealed class Driver
    {
        private readonly Durability _durability;
        private readonly Dictionary<string, ReadOnlyMemory<byte>> _table = [];
        private readonly SortedDictionary<long, JournalEntry> _journal = [];
        private readonly Dictionary<string, long> _shown = [];
        private readonly List<OpenCall> _calls = [];
        private readonly HashSet<OpenCall> _mustBeStored = [];
        private PendingCommit? _underWay;
        private long _number;
        private int _ids;
        private bool _fenced;

        public Driver(Durability durability)
        {
            _durability = durability;
            var options = Options.Create(new HighAvailabilityOptions { Durability = durability });
            var context = new CommitContext(
                null!, TimeProvider.System, new SessionMetrics(new Meter("test")), options, Options.Create(new SessionStoreOptions()), NullLogger<CommitWriter>.Instance);
            var record = new SessionRecord { Id = "s", Owner = "a", Epoch = 1, ProtocolVersion = "2025-11-25", Created = DateTimeOffset.UnixEpoch };
            Core = new(record, SessionBroadcasts.Begin(default), context, new(1_000, TimeSpan.FromMinutes(1), TimeProvider.System));
        }

        public SessionCore Core { get; }

        public void Do(Input input)
        {
            switch (input)
            {
                case Input.BeginLazy or Input.BeginOnce:
                    var active = Core.IsActive;
                    var admission = Admit(input == Input.BeginLazy);
                    Assert.Equal(active, admission.Kind == AdmissionKind.Begun);
                    if (!active)
                        break;
                    _calls.Add(admission.Call!);
                    if (input == Input.BeginOnce)
                        _mustBeStored.Add(admission.Call!);
                    break;
                case Input.FlushLazy when _calls is [.., var begun]:
                    Core.Commits.Flush(begun.Beginning!);
                    break;
                case Input.Send when Running is { } speaking:
                    MessageSteps.Send(Core, speaking, "{}"u8.ToArray(), MessageKind.Progress);
                    break;
                case Input.Ask when Running is { } asking:
                    var name = QuestionSteps.Ask(Core, asking, "hash", new RequestId(++_ids)).Name;
                    MessageSteps.Send(Core, asking, "{}"u8.ToArray(), MessageKind.Request);
                    Assert.Equal(!asking.Ended, Core.Questions.ContainsKey(name));
                    break;
                case Input.Answer when _calls.Find(call => !_mustBeStored.Contains(call)) is { } answered:
                    Answer(answered);
                    break;
                case Input.Cancel when _calls is [.., var withdrawn]:
                    CancellationSteps.Cancel(Core, withdrawn.ClientId, ExchangeId.New());
                    if (withdrawn.Ended)
                        Forget(withdrawn);
                    break;
                case Input.OpenGet:
                    if (StreamSteps.OpenGet(Core) is { Moves: true } opened)
                    {
                        IReadOnlyList<JournalEntry> waiting;
                        do
                        {
                            // As a read of the journal does, which begins with a commit.
                            WriteAll();
                            waiting = [.. _journal.Values.Where(entry => entry.Stream == GetStreams.WaitingStream)];
                        }
                        while (!StreamSteps.Move(Core, waiting, opened.Reader.Stream!));
                    }

                    break;
                case Input.SendUnrelated:
                    MessageSteps.SendUnrelated(Core, """{"jsonrpc":"2.0","method":"notifications/x"}"""u8.ToArray(), MessageKind.Notification);
                    break;
                case Input.Commit when _underWay is { } pending:
                    Apply(pending.Commit);
                    Finish(pending.Batch);
                    break;
                case Input.WriteBack when _underWay is { } lost && !_fenced:
                    var commit = Core.Commits.Absorb(lost);
                    var (snapshot, _) = Core.Copy(commit.Number);
                    _table.Clear();
                    foreach (var (key, value) in snapshot.Calls)
                        _table[key] = value;
                    foreach (var entry in commit.Append)
                        _journal[entry.Position] = entry;
                    foreach (var position in commit.Remove)
                        _journal.Remove(position);
                    _number = commit.Number;
                    Finish(lost.Batch);
                    break;
                case Input.DrainWhenQuiet:
                    HandOverSteps.DrainWhenQuiet(Core);
                    break;
                case Input.StopDraining:
                    HandOverSteps.StopDraining(Core);
                    break;
                case Input.Fence when _ids % 7 == 3: // rare: nothing happens afterwards
                    Assert.NotNull(HandOverSteps.Leave(Core, SessionPhase.Fenced) ?? (_fenced ? new([], []) : null));
                    _fenced = true;
                    break;
            }

            Look();
        }

        /// <summary>Everything is written and shown; store and owner agree.</summary>
        public void End()
        {
            foreach (var call in _calls.ToList())
            {
                Answer(call);
                Look();
            }

            WriteAll();
            if (_fenced)
                return;
            Assert.Equal(Core.Calls.InFlight().Keys.Order(), _table.Keys.Order());
            Assert.All(_table.Values, entry => Assert.True(InFlightCall.IsWithdrawn(entry)));
            foreach (var entry in _journal.Values.Where(entry => entry.Stream != GetStreams.WaitingStream))
                Assert.True(_shown.GetValueOrDefault(entry.Stream) >= entry.Position, $"{entry.Stream}-{entry.Position} was not shown.");
        }

        public Admission Admit(bool mayRunTwice, WaitingRequest? waiting = null)
        {
            var request = new JsonRpcRequest { Id = new RequestId(++_ids), Method = RequestMethods.ToolsCall };
            var from = ClientExchange.Of(new DefaultHttpContext());
            return CallSteps.Admit(Core, new(null!, request, "{}"u8.ToArray(), from, mayRunTwice, Lazy: mayRunTwice), waiting);
        }

        private OpenCall? Running => _calls.FindLast(call => !_mustBeStored.Contains(call));

        private void Answer(OpenCall call)
        {
            var (sent, before) = (call.Stream.LastPosition, call.Ended);
            var outcome = AnswerSteps.Answer(Core, new(call, "{}"u8.ToArray(), Failed: false));
            Assert.Equal(!before && Core.Phase.Writes(), outcome.Ended);
            Assert.True(outcome.Unwritten is null || call.MayRunTwice && sent == 0);
            Forget(call);
        }

        private void Forget(OpenCall call)
        {
            _calls.Remove(call);
            _mustBeStored.Remove(call);
        }

        private void WriteAll()
        {
            Core.Commits.Flush();
            Look();
            while (_underWay is { } pending)
            {
                Apply(pending.Commit);
                Finish(pending.Batch);
                Look();
            }
        }

        // As a store: numbers without a gap, positions that ascend.
        private void Apply(SessionCommit commit)
        {
            Assert.Equal(++_number, commit.Number);
            foreach (var entry in commit.Append)
            {
                Assert.True(entry.Position > _journal.Keys.DefaultIfEmpty().Max() || _journal.Count == 0);
                _journal.Add(entry.Position, entry);
            }

            foreach (var position in commit.Remove)
                _journal.Remove(position);
            foreach (var (key, value) in commit.Calls)
            {
                if (value is { } set)
                    _table[key] = set;
                else
                    _table.Remove(key);
            }
        }

        private void Finish(CommitBatch batch)
        {
            Core.Commits.Committed(batch);
            foreach (var call in _mustBeStored.Where(call => call.Beginning!.Ticket <= Core.Commits.Written).ToList())
                _mustBeStored.Remove(call);
            _underWay = Core.Commits.Next();
        }

        // What the runner does after a step.
        private void Look()
        {
            Core.Commits.ReleaseEarly();
            if (Core.Commits.TryBegin() is { } next)
            {
                Assert.Null(_underWay);
                _underWay = next;
            }

            if (!Core.Phase.Writes())
                _underWay = null;
            foreach (var effect in Core.Commits.TakeReleased() ?? [])
            {
                Assert.True(Core.Phase.Writes());
                if (effect.Kind != EffectKind.Publish)
                    continue;
                var entry = effect.Entry!;
                Assert.True(_durability == Durability.Fast || _journal.ContainsKey(entry.Position) || entry.Stream == GetStreams.WaitingStream, $"{entry.Position} was shown before the store had it.");
                Assert.True(entry.Position > _shown.GetValueOrDefault(entry.Stream), $"{entry.Position} was shown twice, or too late.");
                _shown[entry.Stream] = entry.Position;
            }
        }
    }
}
