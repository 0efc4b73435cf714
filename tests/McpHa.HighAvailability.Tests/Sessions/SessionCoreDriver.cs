using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using ModelContextProtocol.Protocol;
using Input = McpHa.Tests.SessionCoreTests.Input;

namespace McpHa.Tests;

/// <summary>Runs steps as the runner does, and keeps what a store and a client would have.</summary>
internal sealed class SessionCoreDriver
{
    private readonly Durability _durability;
    private readonly FakeTimeProvider _time = new();
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _table = [];
    private readonly Dictionary<string, string> _state = [];
    private readonly SortedDictionary<long, JournalEntry> _journal = [];
    private readonly Dictionary<string, long> _shown = [];
    private readonly List<OpenCall> _calls = [];
    private readonly HashSet<OpenCall> _mustBeStored = [];
    private readonly List<Begun> _begun = [];
    private readonly List<(string Name, OpenCall Call)> _asked = [];
    private readonly HashSet<string> _answered = [];

    // Streams of calls that have left a trace, and of calls that may count as such although they have left none.
    private readonly HashSet<string> _traced = [];
    private readonly HashSet<string> _doubtful = [];
    private OpenCall? _stateHolder;
    private PendingCommit? _underWay;
    private long _number;
    private int _ids;
    private bool _fenced;

    public SessionCoreDriver(Durability durability)
    {
        _durability = durability;
        var options = Options.Create(new HighAvailabilityOptions { Durability = durability });
        var context = new CommitContext(
            null!, null!, _time, new SessionMetrics(new Meter("test")), options, Options.Create(new SessionStoreOptions()), NullLogger<CommitWriter>.Instance);
        var record = new SessionRecord { Id = "s", Owner = "a", Epoch = 1, ProtocolVersion = "2025-11-25", Created = DateTimeOffset.UnixEpoch };
        Core = new(record, SessionBroadcasts.Begin(default), context, new(1_000, TimeSpan.FromDays(1), _time));
    }

    public SessionCore Core { get; }

    public void Do(Input input)
    {
        switch (input)
        {
            case Input.BeginLazy or Input.BeginOnce or Input.BeginLevel:
                var active = Core.IsActive;
                var from = ClientExchange.Of(new DefaultHttpContext());
                var method = input == Input.BeginLevel ? RequestMethods.LoggingSetLevel : RequestMethods.ToolsCall;
                var admission = Admit(input != Input.BeginOnce, from: from, method: method);
                Assert.Equal(active, admission.Kind == AdmissionKind.Begun);
                if (!active)
                    break;
                Note(admission.Call!, from);
                if (input != Input.BeginLazy)
                    _traced.Add(admission.Call!.Stream.Id);
                if (input == Input.BeginOnce)
                    _mustBeStored.Add(admission.Call!);
                break;
            case Input.FlushLazy when _calls is [.., var begun]:
                Core.Commits.Flush(begun.Beginning!);
                break;
            case Input.Send when Running is { } speaking:
                MessageSteps.Send(Core, speaking, "{}"u8.ToArray(), MessageKind.Progress);
                _traced.Add(speaking.Stream.Id);
                break;
            case Input.Ask when Running is { } asking:
                var name = QuestionSteps.Ask(Core, asking, "hash", new RequestId(++_ids)).Name;
                MessageSteps.Send(Core, asking, "{}"u8.ToArray(), MessageKind.Request);
                Assert.Equal(!asking.Ended, Core.Questions.ContainsKey(name));
                _asked.Add((name, asking));
                _traced.Add(asking.Stream.Id);
                break;
            case Input.AnswerQuestion when _asked is [.., var question]:
                AnswerQuestion(question.Name, question.Call);
                break;
            case Input.WriteState when Running is { } writing && (_stateHolder ?? writing) == writing:
                _stateHolder = writing;
                Assert.True((StateOf(writing) ??= Core.State.Begin()).SetAsync("n", ++_ids).AsTask().IsCompletedSuccessfully);
                _traced.Add(writing.Stream.Id);
                break;
            case Input.Answer or Input.AnswerLarge when _calls.Find(call => !_mustBeStored.Contains(call)) is { } answered:
                Answer(answered, input == Input.AnswerLarge);
                break;
            case Input.Repeat when _begun.FindAll(begun => begun.Fate != Fate.Replaced) is { Count: > 0 } known:
                Repeat(known[_ids % known.Count]);
                break;
            case Input.Resume when _begun.Count > 0:
                Resume(_begun[_ids % _begun.Count]);
                break;
            case Input.Cancel when _calls is [.., var withdrawn]:
                CancellationSteps.Cancel(Core, withdrawn.ClientId, ExchangeId.New());
                if (!withdrawn.Ended)
                    break;
                Become(withdrawn, Fate.Withdrawn);
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
                        waiting = [.. _journal.Values.Where(entry => entry.Stream == SseEventId.WaitingStream)];
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
            case Input.Expire when _underWay is not null:
                _time.Advance(TimeSpan.FromMinutes(1));
                Assert.True(Core.Commits.Expire(TimeSpan.FromMinutes(1)));
                break;
            case Input.WriteBack when _underWay is { } lost && !_fenced:
                // What gathers counts as shown from now on, although it is not.
                _doubtful.UnionWith(_calls.Select(call => call.Stream.Id));
                var commit = Core.Commits.Absorb(lost);
                var (snapshot, state) = Core.Copy(commit.Number);
                _state.Clear();
                foreach (var (key, value) in state)
                    _state[key] = Encoding.UTF8.GetString(value.Span);
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
            case Input.Release when HandOverSteps.Drain(Core, evenWithCalls: _ids % 2 == 0) != DrainOutcome.Busy && Core.Phase == SessionPhase.Draining:
                WriteAll();
                if (_calls is [var late, ..])
                {
                    Answer(late);
                    Look();
                }

                // A commit that arrives before the release may be answered after it.
                Assert.True(Core.TryBecome(SessionPhase.Released));
                if (_underWay is { } last)
                {
                    Apply(last.Commit);
                    Finish(last.Batch);
                }

                break;
            case Input.Fence when _ids % 7 == 3: // rare: nothing happens afterwards
                Assert.NotNull(HandOverSteps.Leave(Core, SessionPhase.Fenced) ?? (_fenced ? new([], []) : null));
                _fenced = true;
                break;
        }

        Look();
    }

    /// <summary>Everything is written and shown, or its readers are sent elsewhere; store and owner agree.</summary>
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
        Assert.Equal(Core.State.Copy().ToDictionary(pair => pair.Key, pair => Encoding.UTF8.GetString(pair.Value.Span)), _state);
        if (Core.Phase.Writes())
            Assert.All(_table.Values, entry => Assert.True(InFlightCall.IsWithdrawn(entry)));
        foreach (var begun in _begun)
        {
            var answers = _journal.Values.Count(entry => entry.Stream == begun.Call.Stream.Id && entry.Answers.Length > 0);
            Assert.Equal(begun.Fate == Fate.Written ? 1 : 0, answers);
        }

        var moved = Core.Phase == SessionPhase.Released ? HandOverSteps.Leave(Core, SessionPhase.Ended)!.Streams.Select(stream => stream.Id).ToHashSet() : [];
        foreach (var entry in _journal.Values.Where(entry => entry.Stream != SseEventId.WaitingStream && !moved.Contains(entry.Stream)))
            Assert.True(_shown.GetValueOrDefault(entry.Stream) >= entry.Position, $"{entry.Stream}-{entry.Position} was not shown.");
    }

    public Admission Admit(bool mayRunTwice, WaitingRequest? waiting = null, ClientExchange? from = null, string method = RequestMethods.ToolsCall)
    {
        var request = new JsonRpcRequest { Id = new RequestId(++_ids), Method = method, Params = new JsonObject { ["level"] = "info" } };
        from ??= ClientExchange.Of(new DefaultHttpContext());
        return CallSteps.Admit(Core, new(null!, request, "{}"u8.ToArray(), from, mayRunTwice, Lazy: mayRunTwice), waiting);
    }

    private OpenCall? Running => _calls.FindLast(call => !_mustBeStored.Contains(call));

    // An answer goes unwritten if its call has left no trace, and only then.
    private void Answer(OpenCall call, bool large = false)
    {
        var before = call.Ended;
        var outcome = AnswerSteps.Answer(Core, new(call, large ? new byte[(32 * 1024) + 1] : "{}"u8.ToArray(), Failed: false));
        Assert.Equal(!before && Core.Phase.Writes(), outcome.Ended);
        if (outcome.Ended)
        {
            var traced = large || _traced.Contains(call.Stream.Id);
            Assert.True(
                outcome.Unwritten is null ? traced || _doubtful.Contains(call.Stream.Id) : !traced, $"{call.Stream.Id}: {(traced ? "a trace" : "no trace")}");
            Become(call, outcome.Unwritten is null ? Fate.Written : Fate.Unwritten);
        }

        Forget(call);
    }

    private void AnswerQuestion(string name, OpenCall call)
    {
        var expected = !Core.IsActive ? QuestionAnswer.NotServed
            : call.Ended ? QuestionAnswer.Unknown
            : _answered.Contains(name) ? QuestionAnswer.Repeated
            : QuestionAnswer.First;
        Assert.Equal(expected, QuestionSteps.Store(Core, name, CallQuestions.StreamOf(name)!, "{}"u8.ToArray()).Kind);
        if (expected != QuestionAnswer.First)
            return;
        _answered.Add(name);
        Assert.NotNull(QuestionSteps.Take(Core, name));
    }

    // An exchange whose answer is in the journal does not run again. One that was answered unwritten does.
    private void Repeat(Begun begun)
    {
        var expected = !Core.IsActive ? AdmissionKind.NotServed : begun.Fate switch
        {
            Fate.Withdrawn => AdmissionKind.Withdrawn,
            Fate.Unwritten => AdmissionKind.Begun,
            _ => AdmissionKind.Repeated,
        };
        var admission = Admit(begun.Call.MayRunTwice, from: begun.From);
        Assert.Equal(expected, admission.Kind);
        if (expected != AdmissionKind.Begun)
            return;
        begun.Fate = Fate.Replaced;
        Note(admission.Call!, begun.From);
    }

    private void Resume(Begun begun)
    {
        var (kind, reader) = !Core.IsActive ? (ResumeKind.NotServed, false)
            : begun.Fate == Fate.Withdrawn ? (ResumeKind.Withdrawn, false)
            : (ResumeKind.Look, begun.Fate == Fate.Open);
        var resumed = StreamSteps.Resume(Core, new SseEventId(begun.Call.Stream.Id, 0), null);
        Assert.Equal((kind, reader), (resumed.Kind, resumed.Reader is not null));
    }

    private void Note(OpenCall call, ClientExchange from)
    {
        _calls.Add(call);
        _begun.Add(new(call, from));
    }

    private void Become(OpenCall call, Fate fate) => _begun.Single(begun => begun.Call == call).Fate = fate;

    private void Forget(OpenCall call)
    {
        _calls.Remove(call);
        _mustBeStored.Remove(call);
        if (_stateHolder != call)
            return;
        _stateHolder = null;
        SessionStateBag.Abandon(StateOf(call)!);
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
        foreach (var (key, value) in commit.State)
            _state[key] = Encoding.UTF8.GetString(value!.Value.Span);
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
            if (effect.Kind == EffectKind.Prime)
                _traced.Add(effect.Stream.Id);
            if (effect.Kind != EffectKind.Publish)
                continue;
            var entry = effect.Entry!;
            Assert.True(
                _durability == Durability.Fast || _journal.ContainsKey(entry.Position) || entry.Stream == SseEventId.WaitingStream,
                $"{entry.Position} was shown before the store had it.");
            Assert.True(entry.Position > _shown.GetValueOrDefault(entry.Stream), $"{entry.Position} was shown twice, or too late.");
            _shown[entry.Stream] = entry.Position;
        }
    }

    // What has become of a call.
    private enum Fate
    {
        Open,
        Written,
        Unwritten,
        Withdrawn,

        // It was answered unwritten, and its exchange has begun another one.
        Replaced,
    }

    private sealed class Begun(OpenCall call, ClientExchange from)
    {
        public OpenCall Call => call;

        public ClientExchange From => from;

        public Fate Fate { get; set; }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_state")]
    private static extern ref StateTransaction? StateOf(OpenCall call);
}
