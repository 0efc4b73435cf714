using System.ComponentModel;
using ModelContextProtocol.Server;

namespace McpHa.Server.Resources;

/// <summary>Resources that clients may subscribe to.</summary>
[McpServerResourceType]
public static class AnnouncementResources
{
    [McpServerResource(UriTemplate = AnnouncementBoard.Uri, Name = "latest_announcement", Title = "Latest announcement", MimeType = "text/plain")]
    [Description("What was announced last in the whole cluster. Subscribe to it to hear of the next one.")]
    public static async Task<string> Latest(AnnouncementBoard board, CancellationToken cancellationToken) =>
        await board.ReadAsync(cancellationToken) ?? "Nothing was announced yet.";
}
