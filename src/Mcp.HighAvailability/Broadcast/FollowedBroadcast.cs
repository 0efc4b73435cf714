using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>An entry of the log as this replica follows it.</summary>
/// <param name="entry">The entry.</param>
/// <param name="ordinal">Its place among all entries that this replica has followed: ascending by one, in the order of the log, over all incarnations.</param>
/// <param name="afterGap">Whether entries before it may have been lost.</param>
internal sealed class FollowedBroadcast(BroadcastEntry entry, long ordinal, bool afterGap)
{
    private JsonRpcNotification? _notification;
    private bool _parsed;

    public BroadcastEntry Entry => entry;

    public long Ordinal => ordinal;

    public bool AfterGap => afterGap;

    /// <summary>Behind this entry.</summary>
    public BroadcastCursor Cursor => new(ordinal, entry.Position);

    /// <summary>The payload as a notification, parsed once for all readers; <see langword="null"/>: it is none. Do not change it.</summary>
    public JsonRpcNotification? Notification
    {
        get
        {
            if (!Volatile.Read(ref _parsed))
            {
                _notification = Parse();
                Volatile.Write(ref _parsed, true);
            }

            return _notification;
        }
    }

    private JsonRpcNotification? Parse()
    {
        if (entry.Kind is not (BroadcastKinds.Notification or BroadcastKinds.Task))
            return null;
        try
        {
            return JsonRpc.Parse(entry.Payload.Span) as JsonRpcNotification;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}

/// <summary>How far a reader in this replica has come.</summary>
/// <param name="Ordinal">Of the last entry that it has had; 0: none.</param>
/// <param name="Position">The same for other replicas.</param>
/// <param name="Gap">Entries behind it may be missing: the reader is told so, also if no entry follows.</param>
internal readonly record struct BroadcastCursor(long Ordinal, BroadcastPosition Position, bool Gap = false);
