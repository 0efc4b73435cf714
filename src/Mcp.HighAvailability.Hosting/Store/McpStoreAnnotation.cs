using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting;

/// <summary>Marks a resource as the store of MCP clusters, and says which store was chosen and why.</summary>
/// <param name="Kind">What was chosen.</param>
/// <param name="Description">The choice and its reason, such as <c>Redis in a container, because docker runs</c>.</param>
public sealed record McpStoreAnnotation(McpStoreKind Kind, string Description) : IResourceAnnotation;
