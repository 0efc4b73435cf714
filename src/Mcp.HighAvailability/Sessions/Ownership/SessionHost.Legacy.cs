using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Sessions of HTTP+SSE, which are there before their <c>initialize</c>.</summary>
internal sealed partial class SessionHost
{
    /// <summary>What a session of HTTP+SSE may use of later revisions on the wire: nothing, whatever its client and the server agree on.</summary>
    public const string LegacyRevision = "2024-11-05";

    private static readonly ReadOnlyMemory<byte> Mark = "{}"u8.ToArray();

    /// <summary>Opens a session for a client that has asked for its stream.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task<LiveSession> OpenLegacyAsync(string user, CancellationToken cancellationToken)
    {
        using var activity = SessionTrace.Create();
        var record = new SessionRecord
        {
            Id = SessionIds.New(runtime.ReplicaId),
            Owner = runtime.ReplicaId,
            Epoch = 1,
            User = user,
            TraceParent = activity?.Id ?? "",
            ProtocolVersion = LegacyRevision,
            Created = runtime.Time.GetUtcNow(),
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>> { [HandshakeKeys.LegacySse] = Mark },
        };
        activity?.SetTag(AttributeNames.SessionId, record.Id);
        activity?.SetTag(AttributeNames.Replica, runtime.ReplicaId);
        activity?.SetTag(AttributeNames.Epoch, record.Epoch);
        activity?.SetTag(AttributeNames.ProtocolVersion, record.ProtocolVersion);
        var session = new LiveSession(runtime, record, Forget) { ProtocolVersion = LegacyRevision };
        try
        {
            session.Start();
            await KeepAsync(session, record, cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            session.Close();
            throw;
        }
    }

    private async Task KeepAsync(LiveSession session, SessionRecord record, CancellationToken cancellationToken)
    {
        if (!await runtime.Store.CreateAsync(record, cancellationToken).ConfigureAwait(false))
            throw new InvalidOperationException("A fresh session id is in use; the random number generator of this machine is broken.");
        Add(session);
        runtime.Metrics.Created();
        using var scope = session.BeginScope();
        LogOpened(record.Id, session.ProtocolVersion);
    }
}
