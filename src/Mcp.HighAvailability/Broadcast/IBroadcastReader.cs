namespace Mcp.HighAvailability.Broadcast;

/// <summary>Something that reads the log in this replica, at its own pace.</summary>
internal interface IBroadcastReader
{
    /// <summary>The log has grown. Returns at once; may be called side by side with itself, and more often than the log grows.</summary>
    void Wake();
}
