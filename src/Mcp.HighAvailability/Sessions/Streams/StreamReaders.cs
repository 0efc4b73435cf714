using System.Runtime.CompilerServices;
using System.Security.Claims;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Opens GET streams and resumes streams of any kind.</summary>
internal sealed partial class StreamReaders(LiveSession session)
{
    private readonly ILogger _logger = session.Runtime.Logger;

    /// <summary>Opens a GET stream. <see langword="null"/>: the session is no longer served here.</summary>
    /// <remarks>It begins before the store has agreed. A commit finds out whether the session is still ours; the stream is cut if it is not.</remarks>
    public StreamSubscription? OpenGet()
    {
        session.Touch();
        if (session.Runner.Run(StreamSteps.OpenGet) is not { } opened)
            return null;
        opened.Reader.Stream!.Prime();
        if (opened.Moves)
            _ = MoveWaitingAsync(opened.Reader.Stream);
        return opened.Reader;
    }

    /// <summary>Goes on with a stream behind an event. A call that awaits its caller runs again, for the user who asks.</summary>
    public async ValueTask<Resumption> ResumeAsync(SseEventId after, ClaimsPrincipal? user, CancellationToken cancellationToken)
    {
        session.Touch();
        BroadcastCursor? at = after is { IsCall: false, Broadcast: { } broadcast }
            ? SessionBroadcasts.ToCursor(broadcast, await session.Runtime.Broadcasts.LocateAsync(broadcast, cancellationToken).ConfigureAwait(false))
            : null;
        var resumed = session.Runner.Run((after, at), static (core, asked) => StreamSteps.Resume(core, asked.after, asked.at));
        switch (resumed.Kind)
        {
            case ResumeKind.NotServed:
                return new Resumption.Moved();
            case ResumeKind.Withdrawn:
                return new Resumption.NothingLeft();
            case ResumeKind.NotGiven:
                // Given by the next owner, which this one does not know yet, or never given.
                return await session.IsOursAsync(cancellationToken).ConfigureAwait(false) ? new Resumption.Unknown() : new Resumption.Moved();
        }

        if (!after.IsCall)
            resumed.Reader!.Stream!.Prime();
        foreach (var call in resumed.Awaiting ?? [])
            session.Reruns.Run(call, user);

        // Attached before the journal is read, so nothing falls between the two; what comes twice is recognised by its position.
        var served = false;
        try
        {
            var resumption = await LookAsync(after, resumed, cancellationToken).ConfigureAwait(false);
            served = resumption is Resumption.Reading;
            return resumption;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Resumption.Moved();
        }
        finally
        {
            if (!served && resumed.Reader is not null)
                LiveSession.Detach(resumed.Reader);
            if (resumed.Moves)
                _ = served ? MoveWaitingAsync(resumed.Reader!.Stream!) : MoveWaitingElsewhereAsync();
        }
    }

    /// <summary>
    /// The messages of a stream behind a position, as the journal has them when everything is written that waits now, and when a store that
    /// has lost the session has got it back. What it loses after that is read from memory, as far as it would be written back.
    /// </summary>
    /// <exception cref="OperationCanceledException">Also when the session is no longer served here.</exception>
    /// <exception cref="StoreUnavailableException">The store is away for too long, if the wait is one that fails then.</exception>
    public async IAsyncEnumerable<JournalEntry> ReadJournalAsync(
        string stream, long after, [EnumeratorCancellation] CancellationToken cancellationToken, WaitMode mode = WaitMode.Fails)
    {
        // An answer that is on its way to the journal must not be taken for one that is no longer kept. A commit tells, besides, whether the
        // session is still ours to be read from.
        var ticket = session.Runner.Run(static core => core.Commits.Flush());
        await session.Runner.WrittenAsync(ticket, mode).WaitAsync(cancellationToken).ConfigureAwait(false);
        var of = stream == session.OneStream?.Id ? "" : stream;
        var kept = session.Runner.Read((of, after), static (core, asked) => core.Tail.Between(asked.of, asked.after, core.Commits.FirstUnwritten));
        await foreach (var entry in session.Runtime.Journal.ReadAsync(session.Id, of, after, cancellationToken).ConfigureAwait(false))
        {
            while (kept.TryPeek(out var lost) && lost.Position < entry.Position)
                yield return kept.Dequeue();
            if (kept.TryPeek(out var same) && same.Position == entry.Position)
                kept.Dequeue();
            yield return entry;
        }

        foreach (var lost in kept)
            yield return lost;
    }

    private async ValueTask<Resumption> LookAsync(SseEventId after, Resumed resumed, CancellationToken cancellationToken)
    {
        var known = false;
        JournalEntry? next = null;
        await foreach (var entry in ReadJournalAsync(after.Stream, 0, cancellationToken).ConfigureAwait(false))
        {
            known = true;
            if (entry.Position <= after.Position)
                continue;
            next = entry;
            break;
        }

        // What is missing on the stream of a call is notifications: its answer is kept longer, and counts.
        if (!after.IsCall && (next is { } first ? first.Previous > after.Position : resumed.Last > after.Position))
            return new Resumption.Trimmed();

        var reader = resumed.Reader;
        if (reader is null)
        {
            if (next is null)
                return known ? new Resumption.NothingLeft() : new Resumption.Trimmed();
            var answered = new EventStream(after.Stream);
            answered.Prime();
            answered.Complete();
            reader = answered.Attach();
        }

        reader.StartWithCatchUp();
        return new Resumption.Reading(reader);
    }

    // Gives the messages that waited to a stream, in their order. While that goes on newer messages queue up behind them: it has begun
    // (GetStreams.StartMoving) when the reader attached.
    private async Task MoveWaitingAsync(EventStream target)
    {
        try
        {
            List<JournalEntry> waiting;
            do
            {
                waiting = [];
                await foreach (var entry in ReadJournalAsync(SseEventId.WaitingStream, 0, CancellationToken.None, WaitMode.Unlimited).ConfigureAwait(false))
                    waiting.Add(entry);
            }
            while (!session.Runner.Run((waiting, target), static (core, moved) => StreamSteps.Move(core, moved.waiting, moved.target)));
        }
        catch (Exception e)
        {
            session.Runner.Run(static core => core.GetStreams.Moving = false);
            if (e is not OperationCanceledException)
                LogWaitingNotMoved(e, session.Id);
        }
    }

    // A resume that was to move them came to nothing; a reader that attached meanwhile has left it to that.
    private Task MoveWaitingElsewhereAsync() =>
        session.Runner.Run(StreamSteps.MoveElsewhere) is { } target ? MoveWaitingAsync(target) : Task.CompletedTask;

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Session {SessionId}: waiting messages could not be moved to its GET stream. Its next GET stream gets them.")]
    private partial void LogWaitingNotMoved(Exception exception, string sessionId);
}
