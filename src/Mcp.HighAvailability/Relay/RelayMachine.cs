using System.Buffers;
using System.Text;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay;

/// <summary>Decides what becomes of one exchange: plain state, and one method per input that returns the next step. No I/O and no clock.</summary>
/// <remarks>
/// Inputs come one at a time. Only <see cref="CanEndHere"/> may be read on any thread meanwhile, so what it reads is volatile. The delay of a stream that goes
/// on behind calls is random.
/// Invariants: a request that may have run is sent again only if it may be repeated. A client gets each event once and in order: a stream that broke goes on
/// after the last event. Nothing but events follows the beginning of a stream. Times are those of one monotonic clock.
/// </remarks>
internal sealed class RelayMachine(RelayExchange exchange, string? lastEventId, int maxReplicaLosses)
{
    // A request that takes every replica down with it would otherwise wander through the cluster forever. A GET stream only listens, and may have nothing to
    // hear for longer than many replicas live. One replica counts once: what a request has ended comes back under another id.
    private const int MaxBreaksWithoutProgress = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MaxPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongAttempt = TimeSpan.FromSeconds(1);

    // Streams that no call waits for go on behind the calls that broke at the same moment, and not all at once.
    private static readonly TimeSpan MinBehindCalls = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MaxBehindCalls = TimeSpan.FromMilliseconds(250);

    private readonly RelayProgress? _steps = exchange.MayRepeat is null ? null : new();
    private ArrayBufferWriter<byte>? _cursor; // id of the last event, or where the stream began
    private List<string>? _begunAt = exchange.BegunAt.Count > 0 ? [.. exchange.BegunAt] : null;
    private HashSet<string>? _broken; // replicas that were lost with it, since the last progress
    private bool? _mayRepeat; // remembered, because no replica can answer after all are lost
    private RelayTarget? _target; // of the attempt
    private RelayFailure? _failure; // of the attempt before
    private TimeSpan? _heldSince;
    private TimeSpan _attemptBegan;
    private int _failures; // since the last progress
    private bool _progress; // an event of this attempt was passed on
    private bool _skipsPriming; // the response resumes a stream and has had no event yet
    private volatile bool _passedId; // the client has had an event with an id
    private volatile bool _streams;
    private volatile bool _hasCursor;

    /// <summary>The client has gone.</summary>
    public bool ClientGone { get; set; }

    /// <summary>This process is about to end.</summary>
    public bool Ending { get; set; }

    /// <summary>The client's response is an event stream.</summary>
    public bool Streams => _streams;

    /// <summary>The client has had an event.</summary>
    public bool Passed { get; private set; }

    /// <summary>A replica may have acted on the request.</summary>
    public bool MayHaveRun { get; private set; } = exchange.BegunAt.Count > 0;

    /// <summary>Replicas that may have begun to run it and did not answer.</summary>
    public IReadOnlyList<string> BegunAt => _begunAt ?? (IReadOnlyList<string>)[];

    /// <summary>The replica that was given up last while it had the exchange; <see langword="null"/>: none was.</summary>
    public string? Silent { get; private set; }

    /// <summary>The session, as a response or an event named it.</summary>
    public string? SessionId { get; private set; }

    /// <summary>Id after which a stream is resumed; empty: it cannot be.</summary>
    public ReadOnlySpan<byte> Cursor => _cursor is null ? default : _cursor.WrittenSpan;

    /// <summary>The request only listens: it has no answer that a client waits for.</summary>
    public bool Listens => exchange.Listens || exchange.Method == HttpMethod.Get;

    /// <summary>
    /// The stream can end here, and its client go on elsewhere. A relay knows from where before it has had an event. What only listens is opened anew by its
    /// client. Thread-safe.
    /// </summary>
    public bool CanEndHere => exchange.Listens ? _streams : exchange.ForRelay ? CanResume : _passedId;

    /// <summary>Until when the exchange may wait for a replica. It waits from now on, if it did not before.</summary>
    public TimeSpan HoldUntil(TimeSpan now) => (_heldSince ??= now) + exchange.HoldTime;

    /// <summary>The exchange begins.</summary>
    public RelayStep Begin() => new(RelayAction.Ask);

    /// <summary>How long to wait before a target is used: the same replica again, or round and round, is not asked at once.</summary>
    public TimeSpan PauseBefore(RelayTarget target)
    {
        if (_failure is null || (target.ReplicaId != _failure.Target.ReplicaId && _failures <= 3))
            return TimeSpan.Zero;
        var pause = FirstPause * Math.Pow(2, Math.Min(_failures, 10) - 1);
        return pause < MaxPause ? pause : MaxPause;
    }

    /// <summary>The route has chosen; <see langword="null"/>: no replica can serve the exchange, or the hold time is over.</summary>
    public RelayStep Chosen(RelayTarget? target, TimeSpan now)
    {
        if (ClientGone)
            return new(RelayAction.Done);
        if (target is null)
            return GiveUp();

        // A stream that was begun is spliced the same way wherever it goes on.
        if (target.IsHere && !_streams)
            return new(RelayAction.ServeHere);
        (_target, _attemptBegan, _progress) = (target, now, false);
        return new(CanResume ? RelayAction.Resume : RelayAction.Send);
    }

    /// <summary>The attempt got no response.</summary>
    /// <param name="kind">How it failed.</param>
    /// <param name="now">The time.</param>
    /// <param name="lost">The directory has given the replica up meanwhile, perhaps before anything was sent to it.</param>
    public RelayStep NotAnswered(RelayFailureKind kind, TimeSpan now, bool lost = false)
    {
        MayHaveRun |= kind is RelayFailureKind.Broken or RelayFailureKind.Lost;
        if (lost)
            Silent = _target!.ReplicaId;
        return Failed(kind, null, now);
    }

    /// <summary>The head of the response has arrived.</summary>
    /// <param name="head">What it says.</param>
    /// <param name="resumes">The request was a <see cref="RelayAction.Resume"/>.</param>
    /// <param name="now">The time.</param>
    public RelayStep Answered(in RelayHead head, bool resumes, TimeSpan now)
    {
        if (head.Status == StatusCodes.Status421MisdirectedRequest)
            return Failed(RelayFailureKind.NotOwner, head.Owner, now);
        if (head.Status == StatusCodes.Status503ServiceUnavailable && head.IsTransient)
        {
            foreach (var replica in ClientExchange.ParseReplicas(head.Begun))
                NoteBegun(replica);
            return Failed(RelayFailureKind.Unavailable, null, now);
        }

        SessionId ??= head.SessionId;
        _skipsPriming = resumes;
        if (!head.IsEventStream)
            return new(RelayAction.ReadWhole);
        if (_streams)
            return new(RelayAction.ReadEvents);
        _streams = true;
        if (head.Cursor is { } cursor)
            SetCursor(Encoding.UTF8.GetBytes(cursor));
        return new(RelayAction.StartStream);
    }

    /// <summary>A whole event has arrived.</summary>
    public EventVerdict Event(in SseEvent whole)
    {
        if (whole.IsComment)
            return default;

        // A resumed stream begins with an id and nothing else; the client's stream has had its beginning.
        var isPriming = _skipsPriming && !whole.HasData && !whole.Id.IsEmpty;
        _skipsPriming = false;
        string? session = null;
        if (SessionId is null && exchange.Method == HttpMethod.Get)
            SessionId = session = LegacyEndpoint.SessionIdOf(whole.Bytes.Span);
        if (!whole.Id.IsEmpty)
            SetCursor(whole.Id.Span);

        // A second run reports again what the first one has reported.
        if (isPriming || _steps?.Advances(whole) == false)
            return new(false, session);
        Passed = _progress = true;
        _passedId |= !whole.Id.IsEmpty;
        return new(true, session);
    }

    /// <summary>More events have to be read, unless this process is about to end.</summary>
    public RelayStep Next() => new(EndsHere ? RelayAction.EndElsewhere : RelayAction.ReadEvents);

    /// <summary>The stream has ended in order.</summary>
    /// <param name="replicaStays">The replica lives and is not draining.</param>
    /// <param name="now">The time.</param>
    /// <remarks>A replica that hands its sessions over ends its GET streams; they go on at the next owner. So does what only listens.</remarks>
    public RelayStep StreamEnded(bool replicaStays, TimeSpan now) =>
        replicaStays || (!exchange.Listens && (exchange.Method != HttpMethod.Get || !_hasCursor)) ? new(RelayAction.Done)
            : Failed(RelayFailureKind.Broken, null, now);

    /// <summary>The response broke off.</summary>
    /// <param name="lost">The directory has given the replica up.</param>
    /// <param name="now">The time.</param>
    public RelayStep Broke(bool lost, TimeSpan now)
    {
        MayHaveRun = true;
        if (ClientGone && !lost && !EndsHere)
            return new(RelayAction.Done);
        return Failed(lost ? RelayFailureKind.Lost : RelayFailureKind.Broken, null, now);
    }

    /// <summary>The response has arrived whole, and is no event stream.</summary>
    /// <param name="status">Its HTTP status.</param>
    /// <param name="isMessage">It is JSON and not empty.</param>
    /// <param name="resumes">The request was a <see cref="RelayAction.Resume"/>.</param>
    public RelayStep Whole(int status, bool isMessage, bool resumes)
    {
        if (!_streams)
        {
            // The lost owner had ended the session, and only its answer is missing.
            var ended = status == StatusCodes.Status404NotFound && exchange.Method == HttpMethod.Delete && MayHaveRun;
            return new(RelayAction.Answer) { Status = ended ? StatusCodes.Status200OK : status };
        }

        // Sent again into an open stream: the answer, also if it is an error, becomes its last event.
        if (!resumes && exchange.Method == HttpMethod.Post && isMessage)
            return new(RelayAction.AnswerInStream);
        return new(status is >= 200 and < 300 ? RelayAction.Done : RelayAction.Abort);
    }

    private bool CanResume => _streams && _hasCursor;

    private bool EndsHere => Ending && CanEndHere;

    private bool MayRepeat => exchange.Repeatable || exchange.Listens || (_mayRepeat ??= exchange.MayRepeat?.Invoke() == true);

    // Within a session, replicas count the owners that a call has lost.
    private bool IsAbandoned => !exchange.Repeatable && !exchange.Listens && MayRepeat && !CanResume && BegunAt.Count >= maxReplicaLosses;

    // A stream on which no call is waited for: opened as such, or resumed as such.
    private bool IsGetStream => exchange.Method == HttpMethod.Get &&
        (_hasCursor ? Cursor[0] == SseEventId.GetStream : lastEventId is null or "" or [SseEventId.GetStream, ..]);

    private RelayStep Failed(RelayFailureKind kind, string? owner, TimeSpan now)
    {
        if (ClientGone)
            return new(RelayAction.Done);
        if (EndsHere)
            return new(RelayAction.EndElsewhere);
        var failure = _failure = new RelayFailure(_target!, kind, owner);
        var broke = kind is RelayFailureKind.Broken or RelayFailureKind.Lost;
        Count(failure, broke, now - _attemptBegan > LongAttempt, now);
        if (IsAbandoned)
            return new(RelayAction.Fail) { Error = RelayError.LostRepeatedly(BegunAt.Count), Failure = failure };
        if (MayHaveRun && !CanResume && !MayRepeat)
            return new(RelayAction.Fail) { Error = RelayError.MayHaveRun, Failure = failure };
        if ((_broken?.Count > MaxBreaksWithoutProgress && !Listens) || now - _heldSince >= exchange.HoldTime)
            return GiveUp() with { Failure = failure };
        var behind = broke && _failures == 1 && IsGetStream;
        return new(RelayAction.Ask)
        {
            Failure = failure,
            Delay = behind ? MinBehindCalls + ((MaxBehindCalls - MinBehindCalls) * Random.Shared.NextDouble()) : TimeSpan.Zero,
        };
    }

    private void Count(RelayFailure failure, bool broke, bool lastedLong, TimeSpan now)
    {
        if (_progress || lastedLong)
            _failures = 0;
        if (_progress)
            _broken = null;

        // The hold time counts anew for a replica that had really taken the exchange.
        if (_heldSince is null || _progress || (broke && lastedLong))
            _heldSince = now;
        _failures++;
        if (failure.Kind is RelayFailureKind.Lost)
            Silent = failure.Target.ReplicaId;
        if (!broke)
            return;
        (_broken ??= []).Add(failure.Target.ReplicaId);
        if (exchange.Method == HttpMethod.Post)
            NoteBegun(failure.Target.ReplicaId);
    }

    private RelayStep GiveUp() => new(EndsHere ? RelayAction.EndElsewhere : _streams ? RelayAction.Abort : RelayAction.Refuse) { IsGivenUp = true };

    private void NoteBegun(string replicaId)
    {
        MayHaveRun = true;
        if (!(_begunAt ??= []).Contains(replicaId))
            _begunAt.Add(replicaId);
    }

    private void SetCursor(ReadOnlySpan<byte> id)
    {
        (_cursor ??= new(64)).ResetWrittenCount();
        _cursor.Write(id);
        _hasCursor = !id.IsEmpty;
    }
}
