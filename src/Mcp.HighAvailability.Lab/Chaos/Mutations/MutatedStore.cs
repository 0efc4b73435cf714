using System.Text;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>A session store that breaks one promise; what it is not told to break it passes on.</summary>
internal abstract class MutatedStore(ISessionStore inner) : ISessionStore
{
    private static readonly byte[] Forgotten = """{"jsonrpc":"2.0","method":"notifications/forgotten"}"""u8.ToArray();

    protected ISessionStore Inner => inner;

    /// <summary>The store without the safeguard of that name; <see langword="null"/>: this safeguard is not the store's.</summary>
    public static ISessionStore? Without(string safeguard, ISessionStore inner) => safeguard switch
    {
        "Fence" => new Unfenced(inner),
        "StateCommit" => new Stateless(inner),
        "ProgressRecognition" => new Forgetful(inner, "notifications/progress"),
        "QuestionRecognition" => new Forgetful(inner, "elicitation/create", "sampling/createMessage"),
        "JournalBeforeSend" => new LateStore(inner),
        _ => null,
    };

    public virtual ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default) =>
        inner.CreateAsync(record, cancellationToken);

    public virtual ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default) =>
        inner.FindAsync(sessionId, cancellationToken);

    public virtual ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default) =>
        inner.TakeOverAsync(sessionId, expectedEpoch, newOwner, cancellationToken);

    public virtual ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
        inner.CommitAsync(sessionId, commit, cancellationToken);

    public virtual ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId,
        CancellationToken cancellationToken = default) =>
        inner.ReadStateAsync(sessionId, cancellationToken);

    public virtual ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        inner.ReleaseAsync(sessionId, epoch, cancellationToken);

    public virtual ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        inner.EndAsync(sessionId, epoch, cancellationToken);

    public virtual ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, CancellationToken cancellationToken = default) =>
        inner.WriteBackAsync(snapshot, state, cancellationToken);

    // An owner whose epoch is over is not told so.
    private sealed class Unfenced(ISessionStore inner) : MutatedStore(inner)
    {
        public override async ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
            await Inner.CommitAsync(sessionId, commit, cancellationToken) is var result && result == CommitResult.Fenced ? CommitResult.Committed : result;
    }

    // An answer is committed without what its call has done to the state.
    private sealed class Stateless(ISessionStore inner) : MutatedStore(inner)
    {
        public override ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
            Inner.CommitAsync(
                sessionId,
                new SessionCommit
                {
                    Epoch = commit.Epoch,
                    Owner = commit.Owner,
                    Number = commit.Number,
                    LastPosition = commit.LastPosition,
                    Append = commit.Append,
                    Remove = commit.Remove,
                    Calls = commit.Calls,
                    Handshake = commit.Handshake,
                    TakeOverTook = commit.TakeOverTook,
                    Touch = commit.Touch,
                },
                cancellationToken);
    }

    // A new owner does not learn of messages with these methods that an earlier run has sent.
    private sealed class Forgetful(ISessionStore inner, params string[] methods) : MutatedStore(inner)
    {
        public override async ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner,
            CancellationToken cancellationToken = default) =>
            await Inner.TakeOverAsync(sessionId, expectedEpoch, newOwner, cancellationToken) switch
            {
                TakeOver.Taken taken => new TakeOver.Taken(taken.Snapshot with { Journal = [.. taken.Snapshot.Journal.Select(Forget)] }),
                var other => other,
            };

        private JournalEntry Forget(JournalEntry entry)
        {
            var payload = entry.Payload;
            return methods.Any(method => payload.Span.IndexOf(Encoding.UTF8.GetBytes($"\"{method}\"")) >= 0) ? entry with { Payload = Forgotten } : entry;
        }
    }
}
