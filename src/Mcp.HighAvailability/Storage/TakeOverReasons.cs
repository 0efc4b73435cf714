namespace Mcp.HighAvailability.Storage;

/// <summary>Why a session was taken over.</summary>
public static class TakeOverReasons
{
    /// <summary>The owner has handed the session over.</summary>
    public const string HandedOver = "handed-over";

    /// <summary>The owner was lost.</summary>
    public const string OwnerLost = "owner-lost";

    /// <summary>The owner has lost its own copy of the session.</summary>
    public const string LocalCopyLost = "local-copy-lost";

    /// <summary>The reason, as the record tells it.</summary>
    /// <param name="owner">The owner before; empty: none.</param>
    /// <param name="newOwner">The owner now.</param>
    public static string Of(string owner, string newOwner) => owner.Length == 0 ? HandedOver : owner == newOwner ? LocalCopyLost : OwnerLost;
}
