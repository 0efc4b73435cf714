using System.Text;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Operations on a replica.</summary>
internal enum ReplicaOperation
{
    /// <summary>Hand all sessions over and take no new ones, but stay up.</summary>
    Drain,

    /// <summary>Take sessions again.</summary>
    Resume,
}

/// <summary>Operations on the event bus.</summary>
/// <remarks>
/// At most once, as everything on the bus: the sender checks the replica's heartbeats and asks again. Both operations may be repeated.
/// Who can publish there can do all of this, and more: guard Redis as the servers themselves.
/// </remarks>
internal static class OperationMessage
{
    public const string Topic = "operations";

    public static byte[] Write(ReplicaOperation operation, string replicaId) => Encoding.ASCII.GetBytes($"{operation} {replicaId}");

    /// <summary>The operation, if the message is for this replica and understood by it.</summary>
    public static ReplicaOperation? Read(ReadOnlySpan<byte> message, string replicaId) =>
        Encoding.ASCII.GetString(message).Split(' ') is [var name, var id] && id == replicaId && Enum.TryParse<ReplicaOperation>(name, out var operation) &&
            Enum.IsDefined(operation)
            ? operation
            : null;
}
