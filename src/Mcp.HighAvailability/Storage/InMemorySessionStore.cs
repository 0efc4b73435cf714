using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Storage;

/// <summary>Keeps sessions in this process, for one replica or for several that share the instance.</summary>
internal sealed class InMemorySessionStore(InMemorySessions sessions, SessionMetrics? metrics = null) : ISessionStore
{
    private static readonly IReadOnlyDictionary<string, ReadOnlyMemory<byte>> NoState = new Dictionary<string, ReadOnlyMemory<byte>>();

    public ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default)
    {
        var session = sessions.GetOrAdd(new InMemorySession(record) { Expires = IdleExpiry(used: false) });
        lock (session)
        {
            var created = session.Record;
            return new(!session.Ended && created.Created == record.Created && created.Owner == record.Owner && created.Epoch == record.Epoch);
        }
    }

    public ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return new((SessionOwner?)null);
        lock (session)
            return new(session.Ended ? null : session.Owner);
    }

    public ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return new(new TakeOver.Unknown());

        lock (session)
        {
            if (session.Ended)
                return new(new TakeOver.Unknown());

            var record = session.Record;
            if (record.Epoch == expectedEpoch)
                session.TakeOver(newOwner, sessions.Now);
            else if (record.Epoch != expectedEpoch + 1 || record.Owner != newOwner)
                return new(new TakeOver.Refused(session.Owner));

            session.Expires = IdleExpiry();
            return new(new TakeOver.Taken(session.Snapshot()));
        }
    }

    public ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default)
    {
        JournalPositions.ThrowIfNotAscending(commit.Append);
        return new(Fenced(sessionId, commit.Epoch, session =>
        {
            if (commit.Owner.Length > 0 && commit.Owner != session.Record.Owner)
                return CommitResult.Fenced;
            var last = session.Record.LastCommit;
            if (commit.Number <= last)
                return CommitResult.Committed;
            if (commit.Number > last + 1)
                return CommitResult.Lost;

            var trimmed = session.Apply(commit, sessions.Options, sessions.Now);
            metrics?.Trimmed(trimmed);
            if (commit.Touch)
                session.Expires = IdleExpiry();
            return CommitResult.Committed;
        }));
    }

    public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return new(NoState);
        lock (session)
            return new(session.State());
    }

    public ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        new(Fenced(sessionId, epoch, static session =>
        {
            session.Release();
            return CommitResult.Committed;
        }));

    public ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return new(CommitResult.Lost);

        lock (session)
        {
            if (epoch < session.Record.Epoch)
                return new(CommitResult.Fenced);
            if (epoch > session.Record.Epoch)
                return new(session.Ended ? CommitResult.Fenced : CommitResult.Lost);
            if (session.Ended)
                return new(CommitResult.Committed);

            session.End();
            session.Expires = sessions.Now + sessions.Options.EndedRetention;
            return new(CommitResult.Committed);
        }
    }

    public ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot,
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state,
        CancellationToken cancellationToken = default)
    {
        JournalPositions.ThrowIfNotAscending(snapshot.Journal);
        var record = snapshot.Record;
        var written = new InMemorySession(record) { Expires = IdleExpiry() };
        written.Replace(snapshot, state, sessions.Options);

        var session = sessions.GetOrAdd(written);
        if (ReferenceEquals(session, written))
            return new(CommitResult.Committed);

        lock (session)
        {
            var held = session.Record;
            if (session.Ended || held.Epoch > record.Epoch || (held.Epoch == record.Epoch && held.Owner != record.Owner))
                return new(CommitResult.Fenced);

            if (held.Epoch < record.Epoch || held.LastCommit < record.LastCommit)
            {
                session.Replace(snapshot, state, sessions.Options);
                session.Expires = IdleExpiry();
            }

            return new(CommitResult.Committed);
        }
    }

    private CommitResult Fenced(string sessionId, long epoch, Func<InMemorySession, CommitResult> apply)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return CommitResult.Lost;

        lock (session)
        {
            if (session.Ended || epoch < session.Record.Epoch)
                return CommitResult.Fenced;
            return epoch > session.Record.Epoch ? CommitResult.Lost : apply(session);
        }
    }

    /// <summary>Twice the idle time: the owner removes an idle session on time, this only catches what has no owner any more.</summary>
    private DateTimeOffset IdleExpiry(bool used = true) => sessions.Now + (2 * sessions.Options.IdleTimeoutOf(used));
}
