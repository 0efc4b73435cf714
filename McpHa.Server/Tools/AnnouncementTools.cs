using System.ComponentModel;
using McpHa.Server.Resources;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>A tool that reaches every client of the cluster.</summary>
[McpServerToolType]
public static class AnnouncementTools
{
    [McpServerTool(Name = "announce", Title = "Announce", Destructive = false, OpenWorld = false)]
    [Description("Sends a text to every session of the cluster as a log notification, and makes it the resource " + AnnouncementBoard.Uri + ".")]
    public static async Task<string> Announce(
        AnnouncementBoard board,
        CancellationToken cancellationToken,
        [Description("The text to announce.")] string text)
    {
        Require.Text(text, nameof(text));
        await board.PublishAsync(text, cancellationToken);
        return $"announced: {text}";
    }
}
