using Aspire.Hosting;

namespace Mcp.HighAvailability.Hosting;

/// <summary>An AppHost that cannot be built as it is described. The message names the setting or the call, and the cure.</summary>
/// <remarks>An AppHost that ends with this exception prints the message without a stack trace, and exits with code 1.</remarks>
/// <param name="message">What is wrong, then the cure.</param>
public sealed class McpHostingException(string message) : DistributedApplicationException(message);
