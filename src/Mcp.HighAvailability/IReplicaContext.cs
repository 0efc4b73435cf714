namespace Mcp.HighAvailability;

/// <summary>Where the current call runs. Inject it into a tool.</summary>
public interface IReplicaContext
{
    /// <summary>Id of this replica.</summary>
    string ReplicaId { get; }

    /// <summary>Id of the client's session; <see langword="null"/> in a stateless request or outside a call.</summary>
    string? SessionId { get; }

    /// <summary>How often the session has had an owner: 1 from its creation, one larger with every take-over; 0 without a session.</summary>
    long Epoch { get; }
}
