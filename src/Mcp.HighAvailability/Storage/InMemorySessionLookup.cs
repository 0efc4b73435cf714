namespace Mcp.HighAvailability.Storage;

/// <summary>Looks into the sessions of this process.</summary>
internal sealed class InMemorySessionLookup(InMemorySessions sessions) : ISessionLookup
{
    public ValueTask<SessionTrail?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        if (!sessions.TryGet(sessionId, out var session))
            return new((SessionTrail?)null);
        lock (session)
        {
            var record = session.Record;
            return new(session.Ended
                ? new SessionTrail { Ended = true, Epoch = record.Epoch }
                : new SessionTrail
                {
                    Owner = record.Owner,
                    Epoch = record.Epoch,
                    ProtocolVersion = record.ProtocolVersion,
                    TraceParent = record.TraceParent,
                    Created = record.Created,
                    Hops = record.Hops,
                });
        }
    }
}
